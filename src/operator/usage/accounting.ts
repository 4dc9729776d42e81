/** What a pass tells of the time and the price of a deployment's replicas. */
import type { InferenceDeployment, InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';
import type { Pod } from '../../api/kubernetes.ts';
import { costPerHour, perMillionTokens } from '../cost.ts';
import type { Observation } from '../gather.ts';
import type { Scaling } from '../scaling.ts';
import type { StatusInput } from '../status.ts';
import { advance } from './checkpoint.ts';
import type { DepartedPods } from './departed-pods.ts';
import { isPlaced, lifetimes } from './lifetimes.ts';
import { PRICE_INTERVAL_MS, type PriceDisplay } from './price-display.ts';

export interface AccountingContext {
  departed: DepartedPods;
  prices: PriceDisplay;
  scaling: Pick<Scaling, 'tokensPerSecond'>;
  /** Until then (Unix seconds) the operator before this term would have seen a replica go. */
  unwatchedSince: number;
}

/** Returns what the status is to tell of time and price, and after how many milliseconds that may change although nothing happens. */
export function timeAndPrice(
  { pods, profile, resource }: Observation,
  context: AccountingContext,
): { told: Pick<StatusInput, 'usage' | 'perMillionTokens'>; lookAgainMs: number[] } {
  const { uid = '' } = resource.metadata;
  const price = profile?.spec.price;
  const rate = context.scaling.tokensPerSecond(uid);
  const perHour = price && Number(costPerHour(price, pods.filter(isPlaced)));
  const perMillion = perHour === undefined || rate === undefined ? undefined : perMillionTokens(perHour, rate);
  const before = price && resource.status?.cost?.perMillionTokens;
  const { shown, unsettled } = context.prices.show(uid, before, perMillion, performance.now());
  return {
    told: { usage: usageOf(resource, pods, context), perMillionTokens: shown },
    lookAgainMs: unsettled ? [PRICE_INTERVAL_MS] : [],
  };
}

/** Returns the checkpoint of the time of the replicas, of which `pods` are there. */
export function usageOf(
  { metadata: { namespace = '', uid = '' }, status }: InferenceDeployment,
  pods: readonly Pod[],
  { departed, unwatchedSince }: Pick<AccountingContext, 'departed' | 'unwatchedSince'>,
): InferenceDeploymentStatus['usage'] {
  return advance(status?.usage, lifetimes(pods, departed.of(`${namespace}/${uid}`)), unwatchedSince);
}
