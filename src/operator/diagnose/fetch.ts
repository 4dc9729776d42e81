import type { Problem, ReplicaContext } from './context.ts';
import { noPod, type JobView } from './job.ts';
import { diagnoseDownload } from './replica.ts';
import { saidOfPlace } from './scheduling.ts';

/** Returns what the download of a model into the cache, by this Job, waits for. */
export function diagnoseFetch(job: JobView, context: ReplicaContext): Problem {
  const pod = job.pods.at(-1);
  const starts: Problem = { reason: 'Downloading', message: 'The model is downloaded before replicas start.' };
  if (pod === undefined) return noPod(job, context) ?? starts;
  const said = saidOfPlace(pod);
  if (said !== undefined) {
    return {
      reason: 'Unschedulable',
      message: `No node can take the pod that downloads the model: ${said}. Check the StorageClass of the profile's model cache, and the nodes.`,
    };
  }
  const container = pod.status?.containerStatuses?.find(({ name }) => name === 'download');
  const state = diagnoseDownload(container, context);
  return state?.problem && state.phase === 'failed' ? state.problem : starts;
}
