/**
 * Pure: whether what requests take now contradicts what was learned of others. What was learned fades, which is right where
 * requests drift. Where they become others from one moment to the next it would be wrong for an hour, and worse than
 * nothing: a line between small requests in large batches and large ones in small batches falls.
 */
import { total, type Counts } from '../channel/histogram.ts';
import { halved } from './fading.ts';
import { middleMs } from './latencies.ts';

/** What engines did in a tick, on average: means over them are on the line that they share. */
export interface PaceSample {
  /** Requests that were decoded together. */
  batch: number;
  /** Milliseconds that a token took. */
  time: number;
}

/** By how much tokens took longer, or less long, than a pace allows: sums of logarithms over ticks, newer ones weighing more. */
export interface PaceVotes {
  weight: number;
  slower: number;
  faster: number;
}

export interface Pace {
  /** Sums over the ticks of an hour or so. */
  weight: number;
  batch: number;
  time: number;
  /** How these ticks themselves scatter around it, and how those of the last minute do. */
  usual: PaceVotes;
  recent: PaceVotes;
}

const NO_VOTES: PaceVotes = { weight: 0, slower: 0, faster: 0 };
export const NO_PACE: Pace = { weight: 0, batch: 0, time: 0, usual: NO_VOTES, recent: NO_VOTES };

/** Half of a pace is forgotten after so long, in milliseconds of traffic; half of what is held against it, and of lengths. */
const PACE_HALF_LIFE_MS = 60 * 60_000;
const RECENT_HALF_LIFE_MS = 60_000;
export const LENGTHS_HALF_LIFE_MS = 120_000;

/** Tokens that take so many times longer, or less long, than usual are those of other requests. */
const OTHER_PACE = Math.log(1.6);
/** A tick says no more than this: the four of 20 s in which all engines stall must not outvote the rest of a minute. */
const MOST_SAID = Math.log(6.5);
/**
 * Requests that would take so many times longer alone are others. They are compared with all of ten minutes, themselves
 * included: at a constant rate it takes those that are nearly four times as long.
 */
const OTHER_LENGTHS = Math.log(2);
/** Ticks with a sample: a minute and a half, and never where engines have work in less than two ticks of three. */
const LEAST_TICKS = 12;
/** Requests whose mean chance moves by a quarter at most. */
const LEAST_REQUESTS = 60;

/** Returns the pace after a tick of `intervalMs`. */
export function addToPace(before: Pace, { batch, time }: PaceSample, intervalMs: number): Pace {
  const fade = halved(intervalMs, PACE_HALF_LIFE_MS);
  const isKnown = before.weight >= LEAST_TICKS;
  const most = isKnown ? Math.exp(MOST_SAID) * slowestAt(batch, before) : Number.POSITIVE_INFINITY;
  const vote = { slower: said(time / slowestAt(batch, before)), faster: said(fastestAt(batch, before) / time) };
  return {
    weight: before.weight * fade + 1,
    batch: before.batch * fade + batch,
    time: before.time * fade + Math.min(time, most),
    usual: isKnown ? addVote(before.usual, vote, fade) : before.usual,
    recent: isKnown ? addVote(before.recent, vote, halved(intervalMs, RECENT_HALF_LIFE_MS)) : before.recent,
  };
}

/** Returns the pace with nothing held against it. */
export function withoutRecent(pace: Pace): Pace {
  return { ...pace, recent: NO_VOTES };
}

function addVote(votes: PaceVotes, { slower, faster }: Pick<PaceVotes, 'slower' | 'faster'>, fade: number): PaceVotes {
  return {
    weight: votes.weight * fade + 1,
    slower: votes.slower * fade + slower,
    faster: votes.faster * fade + faster,
  };
}

function said(ratio: number): number {
  return Math.min(MOST_SAID, Math.max(0, Math.log(ratio)));
}

/**
 * Returns whether no engine does both, what was learned and what engines do of late. Against how the learned itself
 * scatters: where long and short requests share engines, or one engine is slow, each sample is far from the mean for ever.
 */
export function contradictsPace({ usual, recent }: Pace): boolean {
  if (recent.weight < LEAST_TICKS) return false;
  const slower = recent.slower / recent.weight - usual.slower / usual.weight;
  const faster = recent.faster / recent.weight - usual.faster / usual.weight;
  return Math.max(slower, faster) > OTHER_PACE;
}

/**
 * The bounds of the milliseconds a token takes in another batch than that of `pace`. A step takes `base + perRequest · batch`,
 * neither of them below 0: a larger batch takes at least as long as a smaller one, and in proportion to its size at most.
 */
function slowestAt(batch: number, pace: Pace): number {
  return (pace.time / pace.weight) * Math.max(1, (batch * pace.weight) / pace.batch);
}

function fastestAt(batch: number, pace: Pace): number {
  return (pace.time / pace.weight) * Math.min(1, (batch * pace.weight) / pace.batch);
}

/**
 * Returns whether requests of late would take longer alone than those before, by the mean of its logarithm. Shorter ones
 * need no haste, and are often a burst of small requests beside those that were there.
 */
export function areLonger(recent: Counts, usual: Counts): boolean {
  if (total(recent) < LEAST_REQUESTS || usual.size === 0) return false;
  return meanLog(recent) - meanLog(usual) > OTHER_LENGTHS;
}

function meanLog(counts: Counts): number {
  let sum = 0;
  for (const [bucket, count] of counts) sum += count * Math.log(middleMs(bucket));
  return sum / total(counts);
}
