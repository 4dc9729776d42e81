/** Pure: what the rule has learned, as it stands in the status: rounded, and moved only where it changed by a tenth. */
import type { InferenceDeploymentStatusScalingLearned as ShownLearned } from '../api/generated/inference-deployment.ts';
import type { Learned } from './learned.ts';

export type { ShownLearned };

type NumberName = Exclude<keyof Learned, 'key'>;

/** How each number is shown: the API has amounts and rates as decimal strings. */
const NUMBERS: Readonly<Record<NumberName, 'decimal' | 'integer'>> = {
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
};
const NAMES = Object.keys(NUMBERS) as NumberName[];

/** Share of a number that it must have moved by. */
const MOVED = 0.1;
const DIGITS = 3;
const LARGEST = 1e12;
const LARGEST_INTEGER = 2 ** 31 - 1;

/** Returns what was learned as the status shows it: decimal strings of three digits, or whole numbers; undefined for none. */
export function showLearned(learned: Learned): ShownLearned | undefined {
  const numbers = NAMES.flatMap((name) => {
    const value = learned[name];
    if (value === undefined || !isValid(value)) return [];
    return [[name, NUMBERS[name] === 'integer' ? whole(value) : decimal(value)]];
  });
  if (numbers.length === 0) return undefined;
  return { ...(learned.key !== undefined && { key: learned.key }), ...Object.fromEntries(numbers) };
}

/** Returns what the status shows as numbers again; what is no number is left out. */
export function readLearned(shown: ShownLearned = {}): Learned {
  const numbers = NAMES.map((name) => [name, Number(shown[name] ?? Number.NaN)] as const);
  return {
    ...(shown.key !== undefined && { key: shown.key }),
    ...Object.fromEntries(numbers.filter(([, value]) => isValid(value))),
  };
}

/** Returns whether one of the numbers came, went or moved, or it was learned of something else. Nothing replaces nothing. */
export function hasMoved(before: ShownLearned | undefined, after: ShownLearned | undefined): boolean {
  if (after === undefined) return false;
  if (before === undefined || before.key !== after.key) return true;
  return NAMES.some((name) => {
    // More of the same is nothing to write for.
    if (name === 'samples') return false;
    if (before[name] === undefined || after[name] === undefined) return before[name] !== after[name];
    const [was, is] = [Number(before[name]), Number(after[name])];
    return was !== is && Math.abs(is - was) >= MOVED * was;
  });
}

function isValid(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function whole(value: number): number {
  return Math.min(LARGEST_INTEGER, Math.round(value));
}

/** A decimal number as the API writes it: without an exponent, and of bounded length. */
function decimal(value: number): string {
  return String(Number(Number(Math.min(value, LARGEST).toPrecision(DIGITS)).toFixed(6)));
}
