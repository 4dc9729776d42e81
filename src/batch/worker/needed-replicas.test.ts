import { describe, expect, test } from '@jest/globals';
import { ReplicaRate, neededReplicas } from './needed-replicas.ts';

const HOUR = 3_600_000;

describe('neededReplicas', () => {
  test.each([
    // 1 request a second is 2,880 in an hour with a margin of 0.8.
    ['as many as it takes by itself', { windowEndMs: HOUR, left: 2881 }, [], 1, 2],
    ['one, where that is enough', { windowEndMs: HOUR, left: 2880 }, [], 1, 1],
    [
      'what ends earlier is done before',
      { windowEndMs: HOUR, left: 2880 },
      [{ windowEndMs: HOUR - 1, left: 2880 }],
      1,
      2,
    ],
    ['what ends later is not', { windowEndMs: HOUR, left: 2880 }, [{ windowEndMs: HOUR + 1, left: 2880 }], 1, 1],
    ['none for nothing', { windowEndMs: HOUR, left: 0 }, [{ windowEndMs: 1, left: 5 }], 1, 0],
    ['no army in the last second', { windowEndMs: 1, left: 4800 }, [], 1, 10],
  ])('%s', (_sentence, own, others, rate, replicas) => {
    expect(neededReplicas(own, others, { replicas: 100, ratePerReplica: rate }, 0, undefined)).toBe(replicas);
  });

  test('while nothing was measured: one, or what was asked for before', () => {
    const work = { windowEndMs: HOUR, left: 1_000_000 };
    const pace = { replicas: 1, ratePerReplica: undefined };
    expect(neededReplicas(work, [], pace, 0, undefined)).toBe(1);
    expect(neededReplicas(work, [], pace, 0, 7)).toBe(7);
  });

  test('twice what serves at most, or what was asked for before', () => {
    const work = { windowEndMs: HOUR, left: 1_000_000 };
    expect(neededReplicas(work, [], { replicas: 3, ratePerReplica: 1 }, 0, 3)).toBe(6);
    expect(neededReplicas(work, [], { replicas: 3, ratePerReplica: 1 }, 0, 8)).toBe(8);
    expect(neededReplicas(work, [], { replicas: 0, ratePerReplica: 1 }, 0, 0)).toBe(1);
  });
});

test('the rate is per replica, of late, and unknown at first', () => {
  const rate = new ReplicaRate();
  rate.add(19, 200, 100);
  expect(rate.perReplica).toBeUndefined();
  for (let second = 0; second < 3000; second += 1) rate.add(10, 2, 1);
  expect(rate.perReplica).toBeCloseTo(5, 1);
  for (let second = 0; second < 900; second += 1) rate.add(4, 1, 1);
  expect(rate.perReplica).toBeLessThan(4.5);
});

test('time counts with the next request that is done', () => {
  const rate = new ReplicaRate();
  for (let second = 0; second < 100; second += 1) rate.add(10, 2, 1);
  for (let second = 0; second < 600; second += 1) rate.add(0, 2, 1);
  expect(rate.perReplica).toBeCloseTo(5, 1);
  rate.skip();
  rate.add(10, 2, 1);
  expect(rate.perReplica).toBeCloseTo(5, 1);
  for (let second = 0; second < 1000; second += 1) rate.add(second % 10 === 9 ? 10 : 0, 2, 1);
  expect(rate.perReplica).toBeLessThan(1);
});
