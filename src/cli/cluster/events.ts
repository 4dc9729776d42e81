/** Kubernetes' Events of a deployment and of its pods. */
import { pods } from '../../api/resources.ts';
import { childName } from '../../operator/resources/names.ts';
import type { KubeObject, Resource } from '../../kube/types.ts';
import type { Context } from '../context.ts';
import { listAll } from './find.ts';

/** By core/v1, whose field selectors know the object; events.k8s.io/v1 serves the same objects without them. */
export interface ClusterEvent extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  involvedObject: { kind?: string; name?: string };
  count?: number;
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  series?: { count?: number; lastObservedTime?: string } | null;
}

export const clusterEvents: Resource<ClusterEvent> = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

/** Returns the events of the deployment and of what Kubernetes runs for it, the oldest first. */
export async function eventsOf(context: Context, ref: { namespace: string; name: string }): Promise<ClusterEvent[]> {
  const client = await context.kube();
  const { namespace, name } = ref;
  const scope = { namespace, signal: context.signal };
  const [own, ofPods] = await Promise.all([
    listAll(client, clusterEvents, {
      ...scope,
      fieldSelector: `involvedObject.kind=InferenceDeployment,involvedObject.name=${name}`,
    }),
    listAll(client, clusterEvents, { ...scope, fieldSelector: `involvedObject.kind=${pods.kind}` }),
  ]);
  return [...own, ...ofPods.filter(({ involvedObject }) => isPodOf(name, involvedObject.name ?? ''))].toSorted(
    (a, b) => Date.parse(lastSeen(a) ?? '') - Date.parse(lastSeen(b) ?? ''),
  );
}

/** Pods that are gone have events still: they are known by their names, `infer-ID-TEMPLATE-SUFFIX`. */
export function isPodOf(deployment: string, pod: string): boolean {
  const rest = pod.startsWith(`${childName(deployment)}-`) ? pod.slice(childName(deployment).length + 1) : '';
  return /^(check-|fetch-)?[a-z0-9]{5,10}-[a-z0-9]{5}$/.test(rest);
}

/** Returns when the event was last seen. */
export function lastSeen({
  series,
  lastTimestamp,
  eventTime,
  firstTimestamp,
  metadata,
}: ClusterEvent): string | undefined {
  return series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp ?? metadata.creationTimestamp;
}

/** Returns how often it was seen. */
export function timesSeen({ series, count }: ClusterEvent): number {
  return series?.count ?? count ?? 1;
}
