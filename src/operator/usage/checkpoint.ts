/**
 * Pure: what is known of the lifetimes of replicas → the checkpoint of their time in the status. It moves only when one
 * begins or ends, to the time of that, so that nothing is written because time passes. See docs/design/0016-cost.md.
 */
import type { InferenceDeploymentStatusUsage } from '../../api/generated/inference-deployment.ts';
import type { Lifetime } from './lifetimes.ts';

/**
 * Who writes `asOf` counts all that it knows to run. One that began so long before and is not counted as running was left
 * out by no late watch (it lists anew every ten minutes) nor by the clock of a node: its end is in the sums.
 */
export const LATE_SECONDS = 3_600;

/**
 * Returns the checkpoint after `before` with what `lives` tell, which are of all pods that are there and of those that were
 * seen to go, each once; `before` itself where they tell nothing new, and undefined where no replica was ever given a node.
 *
 * A replica that the checkpoint counts and of which nothing is known any more went while no operator watched: it is counted
 * up to `unwatchedSince` (Unix seconds), until when one would have seen it go.
 */
export function advance(
  before: InferenceDeploymentStatusUsage | undefined,
  lives: readonly Lifetime[],
  unwatchedSince: number,
): InferenceDeploymentStatusUsage | undefined {
  const from = before?.asOf === undefined ? Number.NEGATIVE_INFINITY : toSeconds(before.asOf);
  const counted = new Map((before?.running ?? []).map(({ uid, gpus }) => [uid, gpus]));
  const known = new Map(lives.map((life) => [life.uid, life]));

  // Of those that are counted, when they ended; undefined where they go on.
  const ends = [...counted].map(([uid, gpus]) => {
    const life = known.get(uid);
    return { uid, gpus, until: life ? life.until : Math.max(from, unwatchedSince) };
  });
  const news = [...known.values()].filter((life) => !counted.has(life.uid) && isNew(life, from));
  const ended = ends.flatMap(({ until }) => until ?? []);
  if (before !== undefined && news.length === 0 && ended.length === 0) return before;
  if (news.length === 0 && counted.size === 0) return before;

  const times = news.flatMap(({ since, until }) => [since, until ?? since]);
  // It never goes back, also where an end becomes known after something newer.
  const asOf = Math.max(from, ...times, ...ended);
  const spans = [
    ...ends.map(({ gpus, until }) => ({ gpus, seconds: (until ?? asOf) - from })),
    ...news.map((life) => ({ gpus: life.gpus, seconds: newSeconds(life, from, asOf) })),
  ];
  const running = [...ends, ...news]
    .filter(({ until }) => until === undefined)
    .map(({ uid, gpus }) => ({ uid, gpus }))
    .toSorted((a, b) => (a.uid < b.uid ? -1 : 1));
  const sum = (weight: (gpus: number) => number): number =>
    spans.reduce((total, { gpus, seconds }) => total + weight(gpus) * seconds, 0);
  return {
    replicaSeconds: Math.max(0, (before?.replicaSeconds ?? 0) + sum(() => 1)),
    gpuSeconds: Math.max(0, (before?.gpuSeconds ?? 0) + sum((gpus) => gpus)),
    asOf: fromSeconds(asOf),
    replicasSince: running.length,
    running,
  };
}

/** Whether one that the checkpoint at `from` does not count as running is not in its sums. A life of no time is not worth a write. */
function isNew({ since, until }: Lifetime, from: number): boolean {
  return until === undefined || until > Math.max(since, from);
}

/**
 * Of one that had begun by `from` and has ended, what was before is in the sums: its end was counted, and is told otherwise
 * now. One that runs may have begun by then and have been seen later.
 */
function newSeconds({ since, until }: Lifetime, from: number, asOf: number): number {
  if (until !== undefined) return until - Math.max(since, from);
  return asOf - (since < from - LATE_SECONDS ? from : since);
}

/** Returns the UIDs of the replicas that `usage` counts as running and that are not among `lives`. */
export function unseen(usage: InferenceDeploymentStatusUsage | undefined, lives: readonly Lifetime[]): string[] {
  const known = new Set(lives.map(({ uid }) => uid));
  return (usage?.running ?? []).map(({ uid }) => uid).filter((uid) => !known.has(uid));
}

/** Returns the time in Unix seconds. */
export function toSeconds(time: string): number {
  return Math.floor(Date.parse(time) / 1_000);
}

/** As the API server writes times. */
function fromSeconds(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}
