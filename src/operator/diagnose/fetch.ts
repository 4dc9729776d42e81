import type { Pod } from '../../api/kubernetes.ts';
import type { Problem, ReplicaContext } from './context.ts';
import { diagnoseDownload } from './replica.ts';
import { saidOfPlace } from './scheduling.ts';

/** Returns what the download of a model into the cache waits for; `pods` are those of its Job, the oldest first. */
export function diagnoseFetch(pods: readonly Pod[], context: ReplicaContext): Problem {
  const pod = pods.at(-1);
  const starts: Problem = { reason: 'Downloading', message: 'The model is downloaded before replicas start.' };
  if (pod === undefined) return starts;
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
