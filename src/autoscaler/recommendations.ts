/** Pure: the stabilisation window: what was recommended within it, as far as its maximum needs. */

interface Recommendation {
  atMs: number;
  replicas: number;
}

/** In order of time and of falling counts: an older one that is not above a newer one can never be the maximum again. */
export type Recommendations = readonly Recommendation[];

/** Returns the recommendations of the window with a new one. */
export function recommend(
  before: Recommendations,
  replicas: number,
  { nowMs, windowMs }: { nowMs: number; windowMs: number },
): Recommendations {
  // One of a time to come is of a clock that went back: it counts from now.
  const kept = before
    .filter((one) => one.atMs > nowMs - windowMs && one.replicas > replicas)
    .map((one) => ({ ...one, atMs: Math.min(one.atMs, nowMs) }));
  return [...kept, { atMs: nowMs, replicas }];
}

/** Returns the highest of them; 0 of none. */
export function highest(recommendations: Recommendations): number {
  return recommendations[0]?.replicas ?? 0;
}
