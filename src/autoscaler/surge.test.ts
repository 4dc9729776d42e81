import { beforeEach, describe, expect, test } from '@jest/globals';
import { addInterval, NO_SURGE, rateForNext, type Surge, type SurgeInput } from './surge.ts';

const MINUTE_MS = 60_000;
/** A request a second; of those of an hour and a half, 5 % may be late. */
const BUDGET = { left: 260, perMs: 1 / 1000 };
const SPENT = { ...BUDGET, left: -100 };

let surge: Surge;
let nowMs: number;

beforeEach(() => {
  surge = NO_SURGE;
  nowMs = 1_000_000;
});

/** Minutes with `needed` requests a second, of which a replica serves one. */
function minutes(count: number, input: Partial<SurgeInput> & { late?: number; ready?: number }): void {
  const { late = 0, ready = 2, needed = 1 } = input;
  for (let minute = 0; minute < count; minute += 1) {
    nowMs += MINUTE_MS;
    surge = addInterval(surge, {
      rate: needed,
      needed,
      ended: { isBad: late > 0, late, leastReady: ready },
      budget: BUDGET,
      isIdle: false,
      loadTimeMs: 120_000,
      intervalMs: MINUTE_MS,
      nowMs,
      ...input,
    });
  }
}

/** Two minutes in which replicas are missing, and four in which they serve; after it another would be too many. */
function rise(late: number, budget = SPENT): void {
  minutes(2, { needed: 3, late, budget });
  minutes(4, { needed: 4, ready: 4, budget });
}

const kept = (): number => rateForNext(surge, BUDGET);

describe('after a rise that made more requests late than may be', () => {
  test.each([
    ['for sixty starts, and two hours at most', 120_000, 120],
    ['for sixty starts where they start quickly: for longer would cost more', 30_000, 30],
    ['for ten minutes at least, however quickly they start', 1_000, 10],
  ])('replicas for the most that came of it are kept %s', (_, loadTimeMs, forMinutes) => {
    rise(200);
    expect(kept()).toBe(4);
    minutes(forMinutes - 1, { budget: SPENT, loadTimeMs });
    expect(kept()).toBe(4);
    minutes(2, { budget: SPENT, loadTimeMs });
    expect(surge).toEqual(NO_SURGE);
  });

  test('the next one counts from its own end', () => {
    rise(200);
    minutes(100, { budget: SPENT });
    minutes(6, { needed: 4, ready: 4, budget: SPENT });
    minutes(119, { budget: SPENT });
    expect(kept()).toBe(4);
  });

  test('they are let go as soon as the budget can bear another one', () => {
    rise(200);
    minutes(1, { budget: { ...BUDGET, left: 399 } });
    expect(kept()).toBe(4);
    minutes(1, { budget: { ...BUDGET, left: 401 } });
    expect(kept()).toBe(0);
  });

  test('nothing is kept where the load goes on like that: then it is the load', () => {
    rise(200);
    minutes(12, { needed: 4, ready: 4, budget: SPENT });
    expect(surge).toEqual(NO_SURGE);
  });

  test('a moment of less in between does not make it another one', () => {
    rise(200);
    minutes(2, { needed: 2, ready: 4, budget: SPENT });
    minutes(13, { needed: 4, ready: 4, budget: SPENT });
    expect(surge).toEqual(NO_SURGE);
  });

  test('nothing is kept where no work comes any more', () => {
    rise(200);
    minutes(9, { needed: 0, budget: SPENT });
    minutes(1, { needed: 0, isIdle: true, budget: SPENT });
    expect(surge).toEqual(NO_SURGE);
  });

  test('nothing is kept for far more than comes on average', () => {
    rise(200);
    expect(rateForNext(surge, { ...BUDGET, perMs: 0.7 / 1000 })).toBe(0);
  });

  test('what is late for another reason does not prolong it', () => {
    rise(200);
    minutes(180, { late: 10, budget: SPENT });
    expect(surge).toEqual(NO_SURGE);
  });

  test('nothing is kept from a time to come, before a clock went back', () => {
    rise(200);
    nowMs -= 60 * MINUTE_MS;
    minutes(1, { budget: SPENT });
    expect(surge).toEqual(NO_SURGE);
  });
});

test.each<[string, () => void]>([
  ['that the budget can bear once more', () => rise(60, { ...BUDGET, left: 70 })],
  ['that made few late', () => rise(40)],
  ['of few requests', () => minutes(2, { needed: 3, late: 20, budget: { left: -9, perMs: 0.1 / 1000 } })],
  [
    'whose requests were late though replicas enough served',
    () => minutes(2, { needed: 2, ready: 2, late: 500, budget: SPENT }),
  ],
  [
    'from nothing, since whoever wakes it waits for the start',
    () => {
      minutes(2, { needed: 3, ready: 0, late: 200, budget: SPENT });
      minutes(1, { needed: 3, ready: 1, late: 200, budget: SPENT });
    },
  ],
  ['that made nothing late', () => minutes(6, { needed: 4, ready: 4 })],
])('nothing is kept for a rise %s', (_, happen) => {
  happen();
  expect(kept()).toBe(0);
});

test('one that harmed little is forgotten soon', () => {
  rise(40);
  expect(surge.most).toBe(4);
  minutes(12, {});
  expect(surge).toEqual(NO_SURGE);
});

test('bad minutes that follow each other are of one rise, also when its replicas have come', () => {
  minutes(1, { needed: 3, late: 60, budget: SPENT });
  minutes(1, { needed: 3, ready: 3, late: 60, budget: SPENT });
  expect(surge).toMatchObject({ late: 120, isDear: true });
});

test('what one did long ago does not make another one dear', () => {
  minutes(1, { needed: 3, late: 60, budget: SPENT });
  minutes(12, {});
  minutes(1, { needed: 3, late: 60, budget: SPENT });
  expect(surge).toMatchObject({ late: 60, isDear: false });
});
