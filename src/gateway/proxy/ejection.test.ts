import { expect, test } from '@jest/globals';
import type { Replica } from '../types.ts';
import { Ejection } from './ejection.ts';

const LIMITS = { ejectionFailures: 3, ejectionMs: 1000 };

function replicas(...serving: boolean[]): [Replica, Replica, ...Replica[]] {
  const made = serving.map((value, index) => ({
    podUid: `pod-${index}`,
    origin: '',
    serving: value,
    draining: false,
    inFlight: 0,
    batchInFlight: 0,
    outstandingTokens: 0,
  }));
  return made as unknown as [Replica, Replica, ...Replica[]];
}

function fail(ejection: Ejection, replica: Replica, times: number, now: number): boolean[] {
  return Array.from({ length: times }, () => ejection.failed(replica, now));
}

test('the failure that reaches the bound ejects, for as long as it says', () => {
  const ejection = new Ejection(LIMITS);
  const all = replicas(true, true);
  expect(fail(ejection, all[0], 4, 0)).toEqual([false, false, true, false]);
  expect([...ejection.ejected(all, 999)]).toEqual(['pod-0']);
  expect([...ejection.ejected(all, 1000)]).toEqual([]);
});

test('a success between failures starts the count anew', () => {
  const ejection = new Ejection(LIMITS);
  const all = replicas(true, true);
  fail(ejection, all[0], 2, 0);
  ejection.succeeded(all[0]);
  expect(fail(ejection, all[0], 2, 0)).toEqual([false, false]);
  expect([...ejection.ejected(all, 0)]).toEqual([]);
});

test('one failure after the time is over ejects again: it has not answered well since', () => {
  const ejection = new Ejection(LIMITS);
  const all = replicas(true, true);
  fail(ejection, all[0], 3, 0);
  expect(ejection.failed(all[0], 2000)).toBe(true);
});

test('the last serving one is never left out', () => {
  const ejection = new Ejection(LIMITS);
  const all = replicas(true, true, false);
  ejection.eject(all[0], 0);
  expect([...ejection.ejected(all, 0)]).toEqual(['pod-0']);
  all[1].serving = false;
  expect([...ejection.ejected(all, 0)]).toEqual([]);
  all[1].serving = true;
  ejection.eject(all[1], 0);
  expect([...ejection.ejected(all, 0)]).toEqual([]);
});
