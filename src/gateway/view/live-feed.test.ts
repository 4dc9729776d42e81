import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { encode, MAX_HISTORY, parseReport, type LiveDeployment, type LiveSample } from '../../channel/messages.ts';
import { LiveFeed } from './live-feed.ts';

let feed: LiveFeed;

beforeEach(() => {
  jest.useFakeTimers();
  feed = new LiveFeed();
  feed.leaders = 1;
});

afterEach(() => {
  jest.useRealTimers();
});

function sample(timeMs: number, inFlight = 1): LiveSample {
  return { timeMs, requestsPerSecond: 1, inFlight, queued: 0, replicasReady: 1, replicasDesired: 1 };
}

function tell(deployments: LiveDeployment[], more = false, watch = feed.watch.version): void {
  feed.heard({ type: 'heartbeat', live: { watch, more, deployments } });
}

const isAnswered = async (answered: Promise<void>): Promise<boolean> => {
  let done = false;
  void answered.then(() => (done = true));
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();
  return done;
};
const times = (uid: string): number[] => feed.history(uid).map(({ timeMs }) => timeMs);

describe('what is looked at', () => {
  test('is told to leaders while somebody looks, and a while longer', () => {
    const changes = jest.fn();
    feed.onWatchChange(changes);
    const first = feed.look({ namespace: 'team-a', detail: 'uid' });
    const second = feed.look({ namespace: 'team-a' });
    expect(feed.watch).toMatchObject({ namespaces: ['team-a'], details: ['uid'] });
    expect(changes).toHaveBeenCalledTimes(2);
    first();
    first();
    jest.advanceTimersByTime(16_000);
    expect(feed.watch).toMatchObject({ namespaces: ['team-a'], details: [] });
    second();
    jest.advanceTimersByTime(10_000);
    const third = feed.look({ namespace: 'team-a' });
    jest.advanceTimersByTime(60_000);
    expect(feed.watch.namespaces).toEqual(['team-a']);
    third();
    jest.advanceTimersByTime(16_000);
    expect(feed.watch.namespaces).toEqual([]);
  });

  test('is told of as many namespaces as a leader takes', () => {
    for (let index = 0; index < 1_500; index += 1) feed.look({ namespace: `team-${index}` });
    const { watch } = feed;
    expect(watch.namespaces).toHaveLength(1_000);
    expect(parseReport(encode({ type: 'report', more: true, deployments: [], watch })).watch).toEqual(watch);
  });

  test('is told with its history only for who shows that', () => {
    feed.look({ namespace: 'team-a', detail: 'a' });
    expect(feed.watch).toMatchObject({ details: ['a'], histories: [] });
    const end = feed.look({ namespace: 'team-a', detail: 'a', withHistory: true });
    expect(feed.watch).toMatchObject({ details: ['a'], histories: ['a'] });
    end();
    jest.advanceTimersByTime(16_000);
    expect(feed.watch).toMatchObject({ details: ['a'], histories: [] });
  });

  test('has a new version whenever it is something else', () => {
    const before = feed.watch.version;
    feed.look({ namespace: 'team-a' });
    expect(feed.watch.version).toBe(before + 1);
    feed.look({ namespace: 'team-a' });
    expect(feed.watch.version).toBe(before + 1);
  });
});

describe('an answer', () => {
  test('is waited for until it is to what is looked at now', async () => {
    tell([]);
    feed.look({ namespace: 'team-a' });
    const answered = feed.answered();
    tell([], false, feed.watch.version - 1);
    expect(await isAnswered(answered)).toBe(false);
    tell([]);
    expect(await isAnswered(answered)).toBe(true);
    expect(await isAnswered(feed.answered())).toBe(true);
  });

  test('is not waited for without a leader, nor for long from one that says none', async () => {
    feed.look({ namespace: 'team-a' });
    feed.leaders = 0;
    expect(await isAnswered(feed.answered())).toBe(true);
    feed.leaders = 1;
    // One of before tells none, ever.
    feed.heard({ type: 'heartbeat' });
    expect(await isAnswered(feed.answered())).toBe(true);
    tell([], false, feed.watch.version - 1);
    const answered = feed.answered();
    expect(await isAnswered(answered)).toBe(false);
    jest.advanceTimersByTime(500);
    expect(await isAnswered(answered)).toBe(true);
    // Nor is it waited for again until it tells some.
    expect(await isAnswered(feed.answered())).toBe(true);
    tell([], false, feed.watch.version - 1);
    expect(await isAnswered(feed.answered())).toBe(false);
  });

  test('of several lines counts when it is whole, and replaces the one before', () => {
    const changed = jest.fn();
    feed.onLive(changed);
    tell([{ uid: 'a', sample: sample(1) }], true);
    expect(feed.live('a')).toBeUndefined();
    tell([{ uid: 'b', sample: sample(1) }]);
    expect(feed.live('a')).toBeDefined();
    expect(changed).toHaveBeenLastCalledWith(new Set(['a', 'b']));
    tell([{ uid: 'b', sample: sample(2) }]);
    expect(feed.live('a')).toBeUndefined();
    // Of b nothing but the time is another.
    expect(changed).toHaveBeenLastCalledWith(new Set(['a']));
  });

  test('without end is dropped', () => {
    for (let line = 0; line < 200; line += 1) {
      const deployments = Array.from({ length: 250 }, (_, index) => ({ uid: `${line}-${index}`, sample: sample(1) }));
      tell(deployments, true);
    }
    const changed = jest.fn<(uids: ReadonlySet<string>) => void>();
    feed.onLive(changed);
    tell([]);
    expect(changed.mock.calls[0]?.[0].size).toBeLessThanOrEqual(20_000);
  });
});

test('figures that are old are none, and whoever shows them is told', () => {
  const changed = jest.fn();
  tell([{ uid: 'a', sample: sample(1) }]);
  feed.onLive(changed);
  jest.advanceTimersByTime(4_000);
  expect(feed.live('a')).toBeDefined();
  jest.advanceTimersByTime(2_000);
  expect(feed.live('a')).toBeUndefined();
  expect(changed).toHaveBeenCalledWith(new Set(['a']));
});

describe('the history', () => {
  test('is what the leader knew and what came since, as far apart and as long', () => {
    const end = feed.look({ namespace: 'team-a', detail: 'a', withHistory: true });
    tell([{ uid: 'a', sample: sample(20_000), history: [sample(10_000), sample(15_000)] }]);
    for (let time = 21_000; time <= 30_000; time += 1_000) tell([{ uid: 'a', sample: sample(time) }]);
    expect(times('a')).toEqual([10_000, 15_000, 20_000, 25_000, 30_000]);
    // Another leader begins with nothing.
    tell([{ uid: 'a', sample: sample(35_000), history: [] }]);
    expect(times('a')).toHaveLength(6);
    for (let step = 8; step < 500; step += 1) tell([{ uid: 'a', sample: sample(step * 5_000) }]);
    expect(times('a')).toHaveLength(MAX_HISTORY);
    end();
    jest.advanceTimersByTime(16_000);
    expect(times('a')).toEqual([]);
  });

  test('is kept of what is looked at with it only', () => {
    feed.look({ namespace: 'team-a', detail: 'a' });
    tell([{ uid: 'a', sample: sample(1), history: [sample(1)] }]);
    expect(times('a')).toEqual([]);
  });
});
