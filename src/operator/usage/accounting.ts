/** What a pass tells of the time and the price of a deployment's replicas. */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';
import type { Pod } from '../../api/kubernetes.ts';
import { DEPLOYMENT_UID_LABEL } from '../../api/labels.ts';
import { pods as podResource } from '../../api/resources.ts';
import type { KubeClient } from '../../kube/client.ts';
import { replicaIndexKey } from '../caches.ts';
import { costPerHour, perMillionTokens } from '../cost.ts';
import type { Observation } from '../gather.ts';
import type { Scaling } from '../scaling.ts';
import type { StatusInput } from '../status.ts';
import { advance, unseen } from './checkpoint.ts';
import type { DepartedPods } from './departed-pods.ts';
import { isPlaced, lifetimes } from './lifetimes.ts';
import { PRICE_INTERVAL_MS, type PriceDisplay } from './price-display.ts';

export interface AccountingContext {
  client: Pick<KubeClient, 'list'>;
  departed: Pick<DepartedPods, 'lives'>;
  prices: PriceDisplay;
  scaling: Pick<Scaling, 'tokensPerSecond'>;
  /** Until then (Unix seconds) the operator before this term would have seen a replica go. */
  unwatchedSince: number;
}

/**
 * Returns what the status is to tell of time and price, and after how many milliseconds that may change although nothing
 * happens. `failure` as of `usageOf`.
 */
export async function timeAndPrice(
  { pods, profile, resource }: Observation,
  context: AccountingContext,
): Promise<{ told: Pick<StatusInput, 'usage' | 'perMillionTokens'>; lookAgainMs: number[]; failure: unknown }> {
  const { uid = '' } = resource.metadata;
  const price = profile?.spec.price;
  const rate = context.scaling.tokensPerSecond(uid);
  const perHour = price && Number(costPerHour(price, pods.filter(isPlaced)));
  const perMillion = perHour === undefined || rate === undefined ? undefined : perMillionTokens(perHour, rate);
  const before = price && resource.status?.cost?.perMillionTokens;
  const { shown, unsettled } = context.prices.show(uid, before, perMillion, performance.now());
  const { usage, failure } = await usageOf(resource, pods, context);
  return { told: { usage, perMillionTokens: shown }, lookAgainMs: unsettled ? [PRICE_INTERVAL_MS] : [], failure };
}

/**
 * Returns the checkpoint of the time of the replicas, of which `pods` are there by the cache. One that the status counts and
 * that the cache does not know is looked for: of the two watches that of the pods may be behind. Where that fails it is the
 * checkpoint of the status with the `failure`, to be thrown once all else is told: the next pass counts the same time.
 */
export async function usageOf(
  { metadata: { namespace = '', uid = '' }, status }: InferenceDeployment,
  pods: readonly Pod[],
  { client, departed, unwatchedSince }: Pick<AccountingContext, 'client' | 'departed' | 'unwatchedSince'>,
): Promise<{ usage: InferenceDeploymentStatus['usage']; failure?: unknown }> {
  const key = `${namespace}/${uid}`;
  const lives = departed.lives(key, pods);
  const missing = unseen(status?.usage, lives);
  if (missing.length === 0) return { usage: advance(status?.usage, lives, unwatchedSince) };
  const labelSelector = `${DEPLOYMENT_UID_LABEL}=${uid}`;
  try {
    const { items } = await client.list(podResource, { namespace, labelSelector });
    const late = items.filter((pod) => replicaIndexKey(pod) === key && missing.includes(pod.metadata.uid ?? ''));
    return { usage: advance(status?.usage, [...lives, ...lifetimes(late, [])], unwatchedSince) };
  } catch (failure) {
    return { usage: status?.usage, failure };
  }
}

/**
 * Returns since when nobody had watched replicas before this process did, in Unix seconds. Another watched until
 * `predecessorUntilMs`; where that is not known, as where its Lease was deleted, until this one began to.
 */
export function unwatchedFrom(predecessorUntilMs: number | undefined, watchingSinceMs: number): number {
  return Math.floor(Math.min(predecessorUntilMs ?? watchingSinceMs, watchingSinceMs) / 1_000);
}
