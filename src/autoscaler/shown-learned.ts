/** Pure: what the rule has learned, as it stands in the status: rounded, and moved only where it changed notably. */
import type { InferenceDeploymentStatusScalingLearned as ShownLearned } from '../api/generated/inference-deployment.ts';
import { formatTime } from '../kube/conditions.ts';
import type { Learned } from './learned.ts';
import { fadedRequests } from './remembered.ts';

export type { ShownLearned };

type NumberName = Exclude<keyof Learned, 'key'>;

/** How a number is shown: the API has amounts and rates as decimal strings, and times of RFC 3339. */
type Shown = 'decimal' | 'integer' | 'time';

const NUMBERS: Readonly<Record<NumberName, Shown>> = {
  requestsPerSecond: 'decimal',
  concurrency: 'decimal',
  samples: 'integer',
  promptTokensPerSecond: 'decimal',
  outputTokensPerSecond: 'decimal',
  tokenBaseMs: 'decimal',
  tokenPerRequestMs: 'decimal',
  unloadedMeanMs: 'integer',
  unloadedP95Ms: 'integer',
  loadSeconds: 'integer',
  recentRequests: 'integer',
  recentLateRequests: 'integer',
  recentSeconds: 'integer',
  recentTime: 'time',
  targetLatencyP95Ms: 'integer',
  holdSeconds: 'integer',
  holdReplicas: 'integer',
  holdTime: 'time',
  surgeRequestsPerSecond: 'decimal',
  surgeLateRequests: 'integer',
  surgeTime: 'time',
  carriedPercent: 'integer',
  carriedTime: 'time',
};
const NAMES = Object.keys(NUMBERS) as NumberName[];

/** What changes with each request is nothing to write for; of late requests the share counts. */
const COUNTS: ReadonlySet<NumberName> = new Set([
  'samples',
  'recentRequests',
  'recentLateRequests',
  'recentSeconds',
  'recentTime',
  'targetLatencyP95Ms',
]);
/** Share of a number that it must have moved by. */
const MOVED = 0.1;
/** The same of times. */
const TIME_MOVED_MS = 60_000;
/** The same of late requests, as a share of all, where there are so many, and beyond what chance makes of it. */
const LATE_MOVED = 0.01;
const LEAST_REQUESTS = 100;
const DEVIATIONS = 3;
const DIGITS = 3;
const LARGEST = 1e12;
const LARGEST_INTEGER = 2 ** 31 - 1;
/** The last day that RFC 3339 has a year for. */
const LATEST_MS = Date.UTC(9999, 11, 31);

/** Returns what was learned as the status shows it: decimal strings of three digits, whole numbers, or times; undefined for none. */
export function showLearned(learned: Learned): ShownLearned | undefined {
  const numbers = NAMES.flatMap((name) => {
    const value = learned[name];
    if (value === undefined || !isValid(value)) return [];
    return [[name, SHOW[NUMBERS[name]](value)]];
  });
  if (numbers.length === 0) return undefined;
  return { ...(learned.key !== undefined && { key: learned.key }), ...Object.fromEntries(numbers) };
}

/** Returns what the status shows as numbers again; what is no number is left out. */
export function readLearned(shown: ShownLearned = {}): Learned {
  const numbers = NAMES.map((name) => [name, numberOf(name, shown)] as const);
  return {
    ...(shown.key !== undefined && { key: shown.key }),
    ...Object.fromEntries(numbers.filter(([, value]) => isValid(value))),
  };
}

/** Returns whether something to write for came, went or moved, or was learned of something else. Nothing replaces nothing. */
export function hasMoved(before: ShownLearned | undefined, after: ShownLearned | undefined): boolean {
  if (after === undefined) return false;
  const known = before?.key === after.key ? (before ?? {}) : {};
  const moved = NAMES.some((name) => {
    if (COUNTS.has(name)) return false;
    if (known[name] === undefined || after[name] === undefined) return known[name] !== after[name];
    const [was, is] = [numberOf(name, known), numberOf(name, after)];
    return was !== is && Math.abs(is - was) >= (NUMBERS[name] === 'time' ? TIME_MOVED_MS : MOVED * was);
  });
  return moved || hasLatenessMoved(known, after);
}

/**
 * Returns whether what may still be late, of the requests of the last hour or so, is another part of them, or of more or
 * fewer than would be gone on from, or they were late by another target.
 */
function hasLatenessMoved(before: ShownLearned, after: ShownLearned): boolean {
  const sinceMs = numberOf('recentTime', after) - numberOf('recentTime', before);
  const were = sinceMs > 0 ? fadedRequests(before.recentRequests ?? 0, sinceMs) : (before.recentRequests ?? 0);
  const { recentRequests: are = 0 } = after;
  if (Math.max(were, are) < LEAST_REQUESTS) return false;
  if (before.targetLatencyP95Ms !== after.targetLatencyP95Ms) return true;
  if (are >= 2 * were || 2 * are <= were) return true;
  const [was, is] = [lateShare(before), lateShare(after)];
  const deviation = Math.sqrt((was * (1 - was)) / are);
  return Math.abs(is - was) >= Math.max(LATE_MOVED, DEVIATIONS * deviation);
}

function lateShare({ recentRequests: all = 0, recentLateRequests: late = 0 }: ShownLearned): number {
  return all === 0 ? 0 : late / all;
}

/** Returns a number of `shown`; NaN of what is none, or not there. */
function numberOf(name: NumberName, shown: ShownLearned): number {
  const value = shown[name] ?? '';
  if (value === '') return Number.NaN;
  return NUMBERS[name] === 'time' ? Date.parse(String(value)) : Number(value);
}

function isValid(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

const SHOW: Readonly<Record<Shown, (value: number) => number | string>> = {
  decimal,
  integer: whole,
  time: (value) => formatTime(new Date(Math.min(value, LATEST_MS))),
};

function whole(value: number): number {
  return Math.min(LARGEST_INTEGER, Math.round(value));
}

/** A decimal number as the API writes it: without an exponent, and of bounded length. */
function decimal(value: number): string {
  return String(Number(Number(Math.min(value, LARGEST).toPrecision(DIGITS)).toFixed(6)));
}
