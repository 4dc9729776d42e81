import { expect, test } from '@jest/globals';
import { addServed, NO_MINUTE, type MinuteReport, type ServedInterval } from './minutes.ts';

const INTERVAL_MS = 5_000;

/** The report of a minute whose intervals are all alike. */
function minuteOf(served: Partial<ServedInterval>): MinuteReport | undefined {
  let minute = NO_MINUTE;
  let report: MinuteReport | undefined;
  for (let interval = 0; interval < 12; interval++) {
    expect(report).toBeUndefined();
    ({ minute, ended: report } = addServed(minute, {
      ready: 2,
      completed: 10,
      late: 0,
      inFlight: 0,
      lateInFlight: 0,
      intervalMs: INTERVAL_MS,
      ...served,
    }));
  }
  expect(minute).toBe(NO_MINUTE);
  return report;
}

test.each<[string, boolean, Partial<ServedInterval>]>([
  ['of nothing late', false, {}],
  ['of one late request in ten', false, { late: 1 }],
  ['of one in five', true, { late: 2 }],
  ['of one in seven', false, { completed: 14, late: 2 }],
  ['of one in six', true, { completed: 12, late: 2 }],
  ['of one in six, counting what is in flight', true, { late: 2, inFlight: 24 }],
  ['of one in seven, counting what is in flight', false, { late: 2, inFlight: 48 }],
  ['in which nothing completed, since nothing served', true, { completed: 0, inFlight: 500, lateInFlight: 400 }],
  ['of three requests that wake a deployment', false, { completed: 0, inFlight: 3, lateInFlight: 3 }],
  ['without a request', false, { completed: 0 }],
])('a minute %s: bad is %s', (_, isBad, served) => {
  expect(minuteOf(served)?.isBad).toBe(isBad);
});

test('tells how many were late, and how few replicas served at its worst', () => {
  const { minute } = addServed(NO_MINUTE, {
    ready: 1,
    completed: 10,
    late: 7,
    inFlight: 5,
    lateInFlight: 5,
    intervalMs: 30_000,
  });
  const last = { ready: 4, completed: 20, late: 1, inFlight: 2, lateInFlight: 0, intervalMs: 30_000 };
  expect(addServed(minute, last)).toEqual({ minute: NO_MINUTE, ended: { isBad: true, late: 8, leastReady: 1 } });
});
