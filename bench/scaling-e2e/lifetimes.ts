/** Pure: what was seen of replicas and of the wanted count, as the simulation's outcome has it. */
import type { Outcome } from '../autoscaler/types.ts';

/** One replica, in Unix milliseconds. */
export interface Lifetime {
  createdAtMs: number;
  /** Since then it holds its GPUs. */
  scheduledAtMs: number | undefined;
  /** When it served first. */
  readyAtMs: number | undefined;
  /** When it was gone. */
  endedAtMs: number | undefined;
}

/** A wanted count and since when, in Unix milliseconds. */
export type Wanted = readonly [number, number];

/** Returns for how many milliseconds, summed over the replicas, GPUs were held between two moments. */
export function heldMs(lifetimes: readonly Lifetime[], fromMs: number, toMs: number): number {
  const spans = lifetimes.map(({ scheduledAtMs = Infinity, endedAtMs = Infinity }) =>
    Math.max(0, Math.min(endedAtMs, toMs) - Math.max(scheduledAtMs, fromMs)),
  );
  return spans.reduce((sum, span) => sum + span, 0);
}

/** Returns how long each replica that was created between two moments took to serve, in milliseconds, those that did. */
export function startTimesMs(lifetimes: readonly Lifetime[], fromMs: number, toMs: number): number[] {
  return lifetimes
    .filter(({ createdAtMs }) => createdAtMs >= fromMs && createdAtMs < toMs)
    .flatMap(({ createdAtMs, readyAtMs }) => (readyAtMs === undefined ? [] : readyAtMs - createdAtMs));
}

/** Returns the counts that were wanted from `startMs` on as a plan, which begins with the one of that moment at 0. */
export function planOf(wanted: readonly Wanted[], startMs: number): Outcome['plan'] {
  const first = wanted.findLast(([atMs]) => atMs <= startMs)?.[1] ?? 0;
  const later = wanted
    .filter(([atMs]) => atMs > startMs)
    .map(([atMs, count]): [number, number] => [atMs - startMs, count]);
  return [[0, first], ...later];
}
