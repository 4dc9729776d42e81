import { DOWNLOAD_CONTAINER } from '../resources/download.ts';
import type { Problem, ReplicaContext } from './context.ts';
import { noPod, type JobView } from './job.ts';
import { diagnoseDownload } from './replica.ts';
import { saidOfPlace } from './scheduling.ts';

/** While the download goes on, or is yet to begin. */
export const TO_BE_FETCHED: Problem = {
  reason: 'Downloading',
  message: 'The model is downloaded before replicas start.',
};

/** Returns what the download of a model into the cache, by this Job, waits for. */
export function diagnoseFetch(job: JobView, context: ReplicaContext): Problem {
  const pod = job.pods.at(-1);
  if (pod === undefined) return noPod(job, context) ?? TO_BE_FETCHED;
  const said = saidOfPlace(pod);
  if (said !== undefined) {
    return {
      reason: 'Unschedulable',
      message: `No node can take the pod that downloads the model: ${said}. Check the StorageClass of the profile's model cache, and the nodes.`,
    };
  }
  const container = pod.status?.containerStatuses?.find(({ name }) => name === DOWNLOAD_CONTAINER);
  const state = diagnoseDownload(container, context);
  return state?.problem && state.phase === 'failed' ? state.problem : TO_BE_FETCHED;
}
