/**
 * Time that a test moves, part by part, while sockets and what else runs in the process go on as they do. jest.useRealTimers()
 * ends all of it.
 */
import { jest } from '@jest/globals';

const ALL = [
  'Date',
  'cancelAnimationFrame',
  'cancelIdleCallback',
  'clearImmediate',
  'clearInterval',
  'clearTimeout',
  'hrtime',
  'nextTick',
  'performance',
  'queueMicrotask',
  'requestAnimationFrame',
  'requestIdleCallback',
  'setImmediate',
  'setInterval',
  'setTimeout',
] as const;

type Part = (typeof ALL)[number];

/** Moves Date by `ms` and stops it there, while timers run. */
export function moveClock(ms: number): void {
  fake(['Date'], Date.now() + ms);
}

/** Stops timers of this kind that are set from now on, until jest.advanceTimersByTime(). */
export function stopTimers(kind: 'Interval' | 'Timeout'): void {
  fake([`set${kind}`, `clear${kind}`]);
}

function fake(parts: readonly Part[], now = Date.now()): void {
  jest.useFakeTimers({ now, doNotFake: ALL.filter((part) => !parts.includes(part)) });
}
