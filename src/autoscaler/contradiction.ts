/**
 * Pure: whether what requests take now contradicts what was learned of others. What was learned fades, which is right where
 * requests drift. Where they become others from one moment to the next it would be wrong for an hour, and worse than
 * nothing: a line between small requests in large batches and large ones in small batches falls.
 */
import { total, type Counts } from '../channel/histogram.ts';
import { middleMs } from './latencies.ts';

/** What engines did over an hour or so: sums over samples, newer ones weighing more. Their means are on the engine's line. */
export interface Pace {
  weight: number;
  /** Requests that were decoded together. */
  batch: number;
  /** Milliseconds that a token took. */
  time: number;
}

/** What engines did of late, against that. */
export interface PaceVotes {
  weight: number;
  /** By how much tokens took longer, or less long, than a pace has it: sums of logarithms, 0 for what it allows. */
  slower: number;
  faster: number;
}

export const NO_PACE: Pace = { weight: 0, batch: 0, time: 0 };
export const NO_VOTES: PaceVotes = { weight: 0, slower: 0, faster: 0 };

/** Half of what is held against what was learned is forgotten after so long. */
export const VOTES_HALF_LIFE_MS = 60_000;
export const RECENT_LENGTHS_MS = 120_000;

/** Tokens that take so many times longer, or less long, on average are those of other requests. */
const OTHER_PACE = Math.log(1.6);
/** A sample says no more than this: an engine that stalls, or reads one huge prompt, must not outvote a minute. */
const MOST_SAID = Math.log(8);
/** Requests that would take so many times longer alone are others. */
const OTHER_LENGTHS = Math.log(2);
/** Samples, of which an engine under load gives one in each tick. */
const LEAST_SAMPLES = 12;
/** Requests whose mean chance moves by a quarter at most. */
const LEAST_REQUESTS = 60;

/** Returns the pace with one sample added, of a token that took `milliseconds` in a batch of `batch`. */
export function addToPace(pace: Pace, batch: number, milliseconds: number): Pace {
  const isKnown = pace.weight >= LEAST_SAMPLES;
  const most = isKnown ? Math.exp(MOST_SAID) * slowestAt(batch, pace) : Number.POSITIVE_INFINITY;
  return { weight: pace.weight + 1, batch: pace.batch + batch, time: pace.time + Math.min(milliseconds, most) };
}

/** Returns the pace with the weight of all samples multiplied by `factor`. */
export function fadedPace({ weight, batch, time }: Pace, factor: number): Pace {
  return { weight: weight * factor, batch: batch * factor, time: time * factor };
}

/** Returns the votes with that of one sample added, against `pace`. */
export function addVote(votes: PaceVotes, batch: number, milliseconds: number, pace: Pace): PaceVotes {
  if (pace.weight < LEAST_SAMPLES) return votes;
  return {
    weight: votes.weight + 1,
    slower: votes.slower + said(milliseconds / slowestAt(batch, pace)),
    faster: votes.faster + said(fastestAt(batch, pace) / milliseconds),
  };
}

function said(ratio: number): number {
  return Math.min(MOST_SAID, Math.max(0, Math.log(ratio)));
}

/** Returns the votes with the weight of all multiplied by `factor`. */
export function fadedVotes({ weight, slower, faster }: PaceVotes, factor: number): PaceVotes {
  return { weight: weight * factor, slower: slower * factor, faster: faster * factor };
}

/** Returns whether no engine does both, what was voted on and what the votes are of. */
export function contradictsPace({ weight, slower, faster }: PaceVotes): boolean {
  return weight >= LEAST_SAMPLES && Math.max(slower, faster) / weight > OTHER_PACE;
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
