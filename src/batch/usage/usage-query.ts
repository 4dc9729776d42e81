/** What GET /usage is asked for. */
import { badRequest, unsupportedValue } from '../errors.ts';
import { oneOf, text, wholeNumber, type Query } from '../query.ts';
import type { Grouping } from './rows.ts';

const DAY = 86_400;
const DEFAULT_SECONDS = 30 * DAY;
const MOST_SECONDS = 400 * DAY;
const MOST_SECONDS_BY_HOUR = 31 * DAY;
/** The year 9999. */
const LATEST = 253_402_297_200;
const GROUPS = ['deployment', 'key'] as const;

export interface UsageQuery extends Grouping {
  /** Unix seconds; hours that begin from `start`'s on and before `end` are meant. */
  readonly start: number;
  readonly end: number;
}

/** Returns what the query asks for; `nowMs` is in Unix milliseconds. Throws GatewayError for what cannot be meant. */
export function usageQuery(query: Query, nowMs: number): UsageQuery {
  const now = Math.floor(nowMs / 1000);
  const end = wholeNumber(query, 'end', { fallback: now, from: 0, to: LATEST });
  const asked = wholeNumber(query, 'start', { fallback: Math.max(0, end - DEFAULT_SECONDS), from: 0, to: LATEST });
  if (asked >= end) {
    throw badRequest(
      'invalid_value',
      `'start' (${asked}) must be before 'end' (${end}), both in Unix seconds.`,
      'start',
    );
  }
  const bucket = oneOf(query, 'bucket', ['hour', 'day'], 'day');
  const [most, days] = bucket === 'hour' ? [MOST_SECONDS_BY_HOUR, 31] : [MOST_SECONDS, 400];
  if (end - asked > most) {
    const message = `From 'start' to 'end' there may be ${days} days where 'bucket' is '${bucket}'. Ask for less at once.`;
    throw badRequest('invalid_value', message, 'start');
  }
  const groups = (text(query, 'group_by') ?? GROUPS.join(',')).split(',');
  const unknown = groups.find((group) => !GROUPS.some((known) => known === group));
  if (unknown !== undefined) throw unsupportedValue('group_by', unknown, GROUPS);
  return {
    start: asked - (asked % 3600),
    end,
    bucket,
    byDeployment: groups.includes('deployment'),
    byKey: groups.includes('key'),
  };
}
