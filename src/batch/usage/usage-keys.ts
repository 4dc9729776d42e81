/** Where what was used lies in the store: docs/design/0015-metering.md. */
import type { UsagePart } from '../../channel/usage-report.ts';

export const USAGE_ROOT = 'usage/';
const DAY_MS = 86_400_000;
/** So that the order of keys is the order of revisions, and a listing that passes meets the newer one behind the older. */
const REVISION_DIGITS = 10;
const TIME_DIGITS = 14;

/** Returns what the keys of a namespace begin with. */
export function usagePrefix(namespace: string): string {
  return `${USAGE_ROOT}${namespace}/`;
}

/** Returns the UTC day of a time in Unix milliseconds, as `2026-11-26`. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

/** Returns the Unix milliseconds at which the day of a key ended; undefined where the key has none. */
export function endOfDay(key: string): number | undefined {
  const day = /^usage\/[^/]+\/(\d{4}-\d\d-\d\d)\//.exec(key)?.[1];
  const start = day === undefined ? Number.NaN : Date.parse(day);
  return Number.isNaN(start) ? undefined : start + DAY_MS;
}

/** Returns the key of one revision of a part: another revision is another object. */
export function partKey(namespace: string, { hour, part, revision }: Omit<UsagePart, 'rows'>): string {
  const time = new Date(hour * 1000).toISOString();
  return `${usagePrefix(namespace)}${time.slice(0, 10)}/${time.slice(11, 13)}.${part}.${padded(revision, REVISION_DIGITS)}`;
}

/** Returns the key of an object into which others of a day were merged; later ones come behind earlier ones. */
export function mergedKey(namespace: string, options: { day: string; nowMs: number; id: string }): string {
  return `${usagePrefix(namespace)}${options.day}/merged.${padded(options.nowMs, TIME_DIGITS)}.${options.id}`;
}

function padded(value: number, digits: number): string {
  return String(Math.max(0, Math.round(value))).padStart(digits, '0');
}
