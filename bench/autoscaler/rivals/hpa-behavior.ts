/**
 * What Kubernetes' HorizontalPodAutoscaler (autoscaling/v2) makes of its recommendations: stabilisation windows and rate
 * limits (`stabilizeRecommendationWithBehaviors` and `convertDesiredReplicasWithBehaviorRate` of its controller).
 */

export interface ScalingPolicy {
  type: 'Percent' | 'Pods';
  value: number;
}

export interface HpaBehavior {
  upWindowMs: number;
  downWindowMs: number;
  /** The one that allows most counts, as with selectPolicy Max. */
  up: readonly ScalingPolicy[];
  down: readonly ScalingPolicy[];
}

export const DEFAULT_BEHAVIOR: HpaBehavior = {
  upWindowMs: 0,
  downWindowMs: 300_000,
  up: [
    { type: 'Percent', value: 100 },
    { type: 'Pods', value: 4 },
  ],
  down: [{ type: 'Percent', value: 100 }],
};

/** All default policies are over this, which is also the controller's period. */
export const PERIOD_MS = 15_000;

export class HpaLimiter {
  readonly #behavior: HpaBehavior;
  readonly #minReplicas: number;
  readonly #maxReplicas: number;
  #recommendations: { atMs: number; replicas: number }[] = [];
  #changes: { atMs: number; by: number }[] = [];

  constructor(behavior: HpaBehavior, minReplicas: number, maxReplicas: number) {
    this.#behavior = behavior;
    this.#minReplicas = minReplicas;
    this.#maxReplicas = maxReplicas;
  }

  /** Returns the count to set, where `recommended` is what the metric asks for. */
  limit(recommended: number, current: number, nowMs: number): number {
    // A controller that starts takes the present count for its first recommendation.
    if (this.#recommendations.length === 0) this.#recommendations.push({ atMs: nowMs, replicas: current });
    const wanted = this.#limitRate(this.#stabilise(recommended, current, nowMs), current, nowMs);
    if (wanted !== current) this.#changes.push({ atMs: nowMs, by: wanted - current });
    return wanted;
  }

  #stabilise(recommended: number, current: number, nowMs: number): number {
    const { upWindowMs, downWindowMs } = this.#behavior;
    const within = (windowMs: number): number[] =>
      this.#recommendations.filter(({ atMs }) => atMs > nowMs - windowMs).map(({ replicas }) => replicas);
    const lower = Math.min(recommended, ...within(upWindowMs));
    const upper = Math.max(recommended, ...within(downWindowMs));
    const keptMs = Math.max(upWindowMs, downWindowMs);
    this.#recommendations = this.#recommendations.filter(({ atMs }) => atMs > nowMs - keptMs);
    this.#recommendations.push({ atMs: nowMs, replicas: recommended });
    return Math.min(Math.max(current, lower), upper);
  }

  #limitRate(wanted: number, current: number, nowMs: number): number {
    this.#changes = this.#changes.filter(({ atMs }) => atMs > nowMs - PERIOD_MS);
    const start = current - this.#changes.reduce((sum, { by }) => sum + by, 0);
    const { up, down } = this.#behavior;
    if (wanted > current) {
      const limits = up.map(({ type, value }) =>
        type === 'Pods' ? start + value : Math.ceil(start * (1 + value / 100)),
      );
      return Math.min(wanted, this.#maxReplicas, Math.max(current, ...limits));
    }
    const limits = down.map(({ type, value }) =>
      type === 'Pods' ? start - value : Math.floor(start * (1 - value / 100)),
    );
    return Math.max(wanted, this.#minReplicas, Math.min(current, ...limits));
  }
}
