/** Pure: the stabilisation window: what was recommended within it, as far as its maximum needs. */

interface Recommendation {
  atMs: number;
  replicas: number;
}

/** In order of time and of falling counts: an older one that is not above a newer one can never be the maximum again. */
export type Recommendations = readonly Recommendation[];

/** Recommendations leave a window at whole minutes, so that a load that falls is followed in steps. */
const STEP_MS = 60_000;
/** Steps are no longer than this share of the window: a short one was asked for. */
const STEP_SHARE = 1 / 5;

/** Returns the recommendations of the window with a new one; each stays for the window and at most a step longer. */
export function recommend(
  before: Recommendations,
  replicas: number,
  { nowMs, windowMs }: { nowMs: number; windowMs: number },
): Recommendations {
  const stepMs = Math.min(STEP_MS, STEP_SHARE * windowMs);
  const sinceMs = stepMs === 0 ? nowMs : Math.floor(nowMs / stepMs) * stepMs - windowMs;
  // One of a time to come is of a clock that went back: it counts from now.
  const kept = before
    .filter((one) => one.atMs > sinceMs && one.replicas > replicas)
    .map((one) => ({ ...one, atMs: Math.min(one.atMs, nowMs) }));
  return [...kept, { atMs: nowMs, replicas }];
}

/** Returns the highest of them; 0 of none. */
export function highest(recommendations: Recommendations): number {
  return recommendations[0]?.replicas ?? 0;
}
