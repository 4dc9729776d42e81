/** Marks on replicas that were chosen to go: annotations, so that they survive a restart of the operator. */
import type { Pod } from '../api/kubernetes.ts';
import { DELETION_COST_ANNOTATION, DRAINING_SINCE_ANNOTATION, SCALER_MANAGER } from '../api/labels.ts';
import { pods } from '../api/resources.ts';
import type { KubeClient } from '../kube/client.ts';

/** Lower than what anybody gives a pod that they would rather keep. */
const FIRST_TO_GO = '-1000000';

/**
 * Returns when the pod was marked, in Unix milliseconds; undefined where it is not. What somebody wrote there that is no
 * time is a mark from the beginning of time: gateways send the pod nothing, and nobody waits for it for long.
 */
export function markedAtMs(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[DRAINING_SINCE_ANNOTATION];
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? 0 : time;
}

/**
 * Marks the pod from `since` on, or takes its mark back where that is undefined; returns the pod as written. Throws
 * ApiError: 404 where the pod has gone, 409 where another has its name.
 */
export async function setMark(
  client: KubeClient,
  { metadata: { name, namespace, uid } }: Pod,
  since: Date | undefined,
): Promise<Pod> {
  const annotations = {
    [DRAINING_SINCE_ANNOTATION]: since?.toISOString() ?? null,
    [DELETION_COST_ANNOTATION]: since === undefined ? null : FIRST_TO_GO,
  };
  return await client.patch(
    pods,
    { name, ...(namespace !== undefined && { namespace }) },
    { metadata: { uid, annotations } },
    { type: 'merge', fieldManager: SCALER_MANAGER },
  );
}
