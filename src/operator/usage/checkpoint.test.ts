import { describe, expect, test } from '@jest/globals';
import { totalsAt, type Totals } from '../../api/replica-time.ts';
import { advance, unseen } from './checkpoint.ts';
import type { Lifetime } from './lifetimes.ts';

type Usage = ReturnType<typeof advance>;
const DAY = Date.parse('2026-01-01T00:00:00Z') / 1_000;
const NEVER = Number.NEGATIVE_INFINITY;

function life(uid: string, gpus: number, since: number, until?: number): Lifetime {
  return { uid, gpus, since: DAY + since, ...(until !== undefined && { until: DAY + until }) };
}

function shown(usage: Usage): [string | undefined, number | undefined, number | undefined, string[]] {
  return [
    usage?.asOf?.slice(11, 19),
    usage?.replicaSeconds,
    usage?.gpuSeconds,
    (usage?.running ?? []).map(({ uid }) => uid),
  ];
}

/** The sums at a time of the day; those of one that never ran are none. */
function totals(usage: Usage, seconds: number): Totals {
  return totalsAt(usage ?? {}, DAY + seconds);
}

/**
 * One replica with two GPUs from 0 to 100, one with four from 40 to 160, one with two from 120 on. By hand, at 200:
 * 100 + 120 + 80 = 300 replica-seconds and 200 + 480 + 160 = 840 GPU-seconds.
 */
const SCHEDULE = [life('a', 2, 0, 100), life('b', 4, 40, 160), life('c', 2, 120)];

/** What is known of the schedule at a time: what has not happened yet is not. */
function knownAt(schedule: readonly Lifetime[], seconds: number, toldAfter = 0, keptFor = Infinity): Lifetime[] {
  return schedule.flatMap(({ until = Infinity, ...begun }) => {
    if (begun.since > DAY + seconds) return [];
    if (until + keptFor < DAY + seconds) return [];
    return until + toldAfter <= DAY + seconds ? { ...begun, until } : begun;
  });
}

/** Looks at the schedule at these times, each time by a process that knows nothing but the status. */
function lookedAt(schedule: readonly Lifetime[], times: readonly number[], toldAfter = 0): Usage {
  return times.reduce<Usage>((usage, time) => advance(usage, knownAt(schedule, time, toldAfter), NEVER), undefined);
}

describe('advance', () => {
  test('counts a schedule by hand, step by step', () => {
    let usage: Usage;
    const look = (seconds: number): void => {
      usage = advance(usage, knownAt(SCHEDULE, seconds), NEVER);
    };
    look(10);
    expect(shown(usage)).toEqual(['00:00:00', 0, 0, ['a']]);
    look(50);
    expect(shown(usage)).toEqual(['00:00:40', 40, 80, ['a', 'b']]);
    look(110);
    expect(shown(usage)).toEqual(['00:01:40', 160, 440, ['b']]);
    look(130);
    expect(shown(usage)).toEqual(['00:02:00', 180, 520, ['b', 'c']]);
    look(200);
    expect(shown(usage)).toEqual(['00:02:40', 260, 760, ['c']]);
    expect(usage?.replicasSince).toBe(1);
    expect(totals(usage, 200)).toEqual({ replicaSeconds: 300, gpuSeconds: 840 });
  });

  test('nothing changes as long as the replicas are the same', () => {
    const usage = lookedAt(SCHEDULE, [130]);
    expect(advance(usage, knownAt(SCHEDULE, 159), NEVER)).toBe(usage);
    expect(advance(undefined, [], NEVER)).toBeUndefined();
  });

  test.each([
    ['once, after all of it', [200]],
    ['by two processes in turn', [10, 50, 90, 165, 200]],
    ['with a restart in the middle of every life', [20, 60, 130, 200]],
    ['too seldom to see all that ran', [5, 170]],
  ])('seen %s, the sums are the same', (_, times) => {
    expect(totals(lookedAt(SCHEDULE, times), 200)).toEqual({ replicaSeconds: 300, gpuSeconds: 840 });
  });

  test('an end that becomes known after something newer is counted at its time, and asOf stays', () => {
    const late = [life('a', 1, 0), life('b', 1, 50)];
    const before = advance(undefined, late, NEVER);
    expect(shown(before)).toEqual(['00:00:50', 50, 50, ['a', 'b']]);
    const after = advance(before, [life('a', 1, 0, 40), life('b', 1, 50)], NEVER);
    expect(shown(after)).toEqual(['00:00:50', 40, 40, ['b']]);
  });

  test('a replica that was seen only after it ended is counted once', () => {
    const whole = [life('a', 4, 10, 25)];
    const usage = advance(lookedAt([life('z', 1, 0)], [5]), [...whole, life('z', 1, 0)], NEVER);
    expect(totals(usage, 100)).toEqual({ replicaSeconds: 115, gpuSeconds: 160 });
    // As long as its object stays, and when that has gone.
    expect(advance(usage, [...whole, life('z', 1, 0)], NEVER)).toBe(usage);
    expect(advance(usage, [life('z', 1, 0)], NEVER)).toBe(usage);
  });

  test('an end that is told otherwise later is not a second life', () => {
    const usage = advance(undefined, [life('a', 1, 0, 60)], NEVER);
    expect(advance(usage, [life('a', 1, 0, 65)], NEVER)).toMatchObject({ replicaSeconds: 65 });
    expect(advance(usage, [life('a', 1, 0, 55)], NEVER)).toBe(usage);
  });

  test('one that is told of twice is counted once', () => {
    const usage = advance(undefined, [life('a', 2, 0, 60), life('a', 2, 0, 60)], NEVER);
    expect(usage).toMatchObject({ replicaSeconds: 60, gpuSeconds: 120 });
  });

  test('one that began long before and was not counted as running had ended: what was before is in the sums', () => {
    const usage = advance(undefined, [life('a', 1, 0, 4_000), life('b', 1, 0)], NEVER);
    expect(shown(usage)).toEqual(['01:06:40', 8_000, 8_000, ['b']]);
    const back = advance(usage, [life('a', 1, 0), life('b', 1, 0)], NEVER);
    expect(shown(back)).toEqual(['01:06:40', 8_000, 8_000, ['a', 'b']]);
    // One that began within the hour was seen late.
    const late = advance(usage, [life('b', 1, 0), life('c', 1, 3_990)], NEVER);
    expect(shown(late)).toEqual(['01:06:40', 8_010, 8_010, ['b', 'c']]);
  });

  test('tells which are counted and not known', () => {
    const usage = lookedAt([life('a', 1, 0), life('b', 1, 0)], [1]);
    expect(unseen(usage, [life('b', 1, 0)])).toEqual(['a']);
    expect(unseen(undefined, [])).toEqual([]);
  });

  test('one that went while nobody watched is counted until somebody would have seen it go', () => {
    const usage = lookedAt([life('a', 2, 0), life('b', 2, 0)], [1]);
    const after = advance(usage, [life('b', 2, 0)], DAY + 500);
    expect(shown(after)).toEqual(['00:08:20', 1_000, 2_000, ['b']]);
    // Where that is before what is counted already, as of a leader whose clock was behind, it is counted until there.
    expect(shown(advance(usage, [life('b', 2, 0)], DAY - 500))).toEqual(['00:00:00', 0, 0, ['b']]);
  });

  test('two leaders with the same facts write the same', () => {
    const usage = lookedAt(SCHEDULE, [50]);
    const [one, other] = [130, 131].map((time) => advance(usage, knownAt(SCHEDULE, time), NEVER));
    expect(one).toEqual(other);
    expect(advance(one, knownAt(SCHEDULE, 131), NEVER)).toBe(one);
  });

  test('a life of no time is nothing to write for', () => {
    const usage = lookedAt([life('a', 1, 0)], [1]);
    expect(advance(usage, [life('a', 1, 0), life('refused', 1, 30, 30)], NEVER)).toBe(usage);
  });
});

/** Numbers of a seed (mulberry32), so that a failure can be repeated. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('however a schedule is split over processes, and however late ends are told, the sums are exact', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = randomOf(seed);
    const whole = (below: number): number => Math.floor(random() * below);
    const schedule = Array.from({ length: 1 + whole(12) }, (_, index) => {
      const since = whole(1_000);
      const gpus = whole(9);
      return random() < 0.3 ? life(`r${index}`, gpus, since) : life(`r${index}`, gpus, since, since + 20 + whole(600));
    });
    const toldAfter = whole(15);
    const times = Array.from({ length: whole(40) }, () => whole(2_000)).toSorted((a, b) => a - b);
    const usage = lookedAt(schedule, [...times, 2_000], toldAfter);
    const exact = schedule.reduce(
      (sum, { gpus, since, until = DAY + 2_000 }) => ({
        replicaSeconds: sum.replicaSeconds + until - since,
        gpuSeconds: sum.gpuSeconds + gpus * (until - since),
      }),
      { replicaSeconds: 0, gpuSeconds: 0 },
    );
    expect({ seed, ...totals(usage, 2_000) }).toEqual({ seed, ...exact });
  }
});
