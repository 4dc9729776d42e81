import { beforeEach, describe, expect, test } from '@jest/globals';
import { FakeDeployment } from '../../../test/support/gateway.ts';
import { bucketOf } from '../../channel/histogram.ts';
import { LoadTracker } from './tracker.ts';

let now: number;
let tracker: LoadTracker;
let chat: FakeDeployment;

beforeEach(() => {
  now = 1_000;
  tracker = new LoadTracker(() => now);
  chat = new FakeDeployment('chat', ['http://one', 'http://two']);
});

describe('a report', () => {
  test('has counts, latencies and what waits', () => {
    const done = tracker.arrive(chat);
    done.servedBy('pod-0');
    done.firstByte(1_010);
    done.end('completed', 1_100);
    tracker.arrive(chat).end('failed', 1_000);
    tracker.arrive(chat).end('cancelled', 1_000);
    const waits = tracker.arrive(chat);
    waits.held(1_000);
    now = 3_000;
    expect(tracker.changesSince(0).deployments).toEqual([
      {
        uid: 'uid-chat',
        arrivals: 4,
        completed: 1,
        failed: 1,
        cancelled: 1,
        latency: new Map([[bucketOf(100), 1]]),
        firstByte: new Map([[bucketOf(10), 1]]),
        held: 1,
        oldestHeldMs: 2_000,
        ages: new Map([[bucketOf(2_000), 1]]),
        replicas: [],
      },
    ]);
  });

  test('has the replicas with requests, and the age of the oldest on each', () => {
    const [one] = chat.all;
    if (one === undefined) throw new Error('no replica');
    tracker.arrive(chat).servedBy('pod-0');
    one.inFlight = 2;
    one.outstandingTokens = 99.5;
    now = 1_500;
    tracker.arrive(chat).servedBy('pod-0');
    now = 2_000;
    expect(tracker.changesSince(0).deployments[0]?.replicas).toEqual([
      { podUid: 'pod-0', inFlight: 2, tokens: 100, oldestMs: 1_000, draining: false },
    ]);
  });

  test('has a replica that is to leave although nothing is on it', () => {
    const [, two] = chat.all;
    if (two === undefined) throw new Error('no replica');
    two.draining = true;
    tracker.touch(chat);
    expect(tracker.changesSince(0).deployments[0]?.replicas).toMatchObject([
      { podUid: 'pod-1', inFlight: 0, draining: true },
    ]);
  });

  test('has what an engine said lately, also where no request is left on it', () => {
    const [one] = chat.all;
    if (one === undefined) throw new Error('no replica');
    tracker.arrive(chat).end('completed', 1_000);
    const totals = { at: 2_000, running: 4, deferred: 1, promptTokens: 50, generatedTokens: 60 };
    one.engine = { at: 2_500, waiting: 3, kvCacheUsage: 0.5, totals };
    const { version } = tracker.changesSince(0);
    tracker.engineRead(chat);
    now = 3_000;
    expect(tracker.changesSince(version).deployments[0]?.replicas).toEqual([
      {
        podUid: 'pod-0',
        inFlight: 0,
        tokens: 0,
        oldestMs: 0,
        draining: false,
        engine: {
          ageMs: 500,
          waiting: 3,
          kvCacheUsage: 0.5,
          totals: { ageMs: 1_000, running: 4, promptTokens: 50, generatedTokens: 60 },
        },
      },
    ]);
    now = 20_000;
    expect(tracker.changesSince(0).deployments[0]?.replicas).toEqual([]);
  });

  test('an engine that was read makes no report of a deployment that has gone', () => {
    tracker.arrive(chat).end('completed', 1_000);
    tracker.forget(chat);
    tracker.engineRead(chat);
    expect(tracker.changesSince(0).deployments).toEqual([]);
  });

  test('a request that ended counts once', () => {
    const request = tracker.arrive(chat);
    request.end('completed', 1_001);
    request.end('cancelled', 1_002);
    expect(tracker.changesSince(0).deployments).toMatchObject([{ completed: 1, cancelled: 0 }]);
  });
});

describe('what is reported', () => {
  test('is what changed since, and what has requests', () => {
    const other = new FakeDeployment('other');
    tracker.arrive(other).end('completed', 1_000);
    const running = tracker.arrive(chat);
    const { version } = tracker.changesSince(0);
    const uids = (since: number): string[] => tracker.changesSince(since).deployments.map(({ uid }) => uid);
    expect(uids(version)).toEqual(['uid-chat']);
    running.end('completed', 1_000);
    expect(uids(version)).toEqual(['uid-chat']);
    expect(uids(tracker.changesSince(version).version)).toEqual([]);
  });

  test('to a leader that is new is all that was ever counted: growth is what it goes by', () => {
    tracker.arrive(chat).end('completed', 1_000);
    const { version } = tracker.changesSince(0);
    now += 3_600_000;
    expect(tracker.changesSince(version).deployments).toEqual([]);
    expect(tracker.changesSince(0).deployments).toMatchObject([{ arrivals: 1 }]);
  });

  test('is nothing of a deployment that has gone, also when its last request ends', () => {
    const running = tracker.arrive(chat);
    tracker.forget(chat);
    running.end('completed', 1_000);
    expect(tracker.changesSince(0).deployments).toEqual([]);
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('the first request that waits, and a mark, are told at once; more of the kind in the same turn together', async () => {
  let calls = 0;
  const end = tracker.onUrgent(() => (calls += 1));
  tracker.arrive(chat).held(now);
  tracker.arrive(chat).held(now);
  tracker.touch(chat);
  await turn();
  expect(calls).toBe(1);
  tracker.arrive(chat).held(now);
  await turn();
  expect(calls).toBe(1);
  tracker.touch(chat);
  await turn();
  expect(calls).toBe(2);
  end();
  tracker.touch(chat);
  await turn();
  expect(calls).toBe(2);
});
