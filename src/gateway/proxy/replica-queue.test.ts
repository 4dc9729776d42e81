import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { FakeDeployment } from '../../../test/support/gateway.ts';
import type { ReplicaPicker } from '../types.ts';
import { Ejection } from './ejection.ts';
import { ReplicaQueue, type ReplicaWish } from './replica-queue.ts';

const pick: ReplicaPicker = (replicas, _, exclude) =>
  replicas.find(({ serving, podUid }) => serving && !exclude.has(podUid));

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

function queue(heldRequests = 10): ReplicaQueue {
  const ejection = new Ejection({ ejectionFailures: 5, ejectionMs: 1000 });
  return new ReplicaQueue(pick, ejection, { heldRequests, heldBatchRequests: 1, retryPauseMs: 2500 });
}

function wish(deployment: FakeDeployment, more: Partial<ReplicaWish> = {}): ReplicaWish {
  return {
    deployment,
    model: 'tiny',
    estimatedTokens: 7,
    batch: false,
    avoid: new Set(),
    signal: new AbortController().signal,
    holdTimeoutMs: 60_000,
    ...more,
  };
}

test('a replica that failed the request is tried again after a pause, another one at once', async () => {
  const deployment = new FakeDeployment('tiny', ['http://a']);
  const waiting = queue();
  const avoid = new Set(['pod-0']);
  const first = waiting.wait(wish(deployment, { avoid }));
  const second = waiting.wait(wish(deployment, { avoid }));
  await jest.advanceTimersByTimeAsync(2499);
  expect(deployment.all[0]?.inFlight).toBe(0);
  await jest.advanceTimersByTimeAsync(1);
  expect((await first)?.replica.podUid).toBe('pod-0');
  await second;
  const third = waiting.wait(wish(deployment, { avoid }));
  deployment.add('http://b');
  expect((await third)?.replica.podUid).toBe('pod-1');
  expect(deployment.all).toMatchObject([
    { inFlight: 2, outstandingTokens: 14 },
    { inFlight: 1, outstandingTokens: 7 },
  ]);
  expect(deployment.listeners).toBe(0);
});

test.each([
  ['suspended', 'model_suspended', 503],
  ['removed', 'model_not_found', 404],
] as const)('requests that wait for a deployment that is %s are told at once', async (how, code, status) => {
  const deployment = new FakeDeployment('tiny');
  const waits = queue().wait(wish(deployment));
  deployment.end(how);
  await expect(waits).rejects.toMatchObject({ code, status });
  expect(deployment.listeners).toBe(0);
});

test('a request that left or timed out in the moment of its turn takes no share', async () => {
  const deployment = new FakeDeployment('tiny');
  const leave = new AbortController();
  const waiting = queue();
  const left = waiting.wait(wish(deployment, { signal: leave.signal }));
  const late = waiting.wait(wish(deployment, { holdTimeoutMs: 100 }));
  leave.abort();
  deployment.add('http://a', false);
  jest.advanceTimersByTime(100);
  deployment.setServing(0, true);
  expect(await left).toBeUndefined();
  await expect(late).rejects.toMatchObject({ status: 503, code: 'model_not_ready' });
  expect(deployment.all).toMatchObject([{ inFlight: 0, outstandingTokens: 0 }]);
  expect(deployment.listeners).toBe(0);
});

test('a share is released once', async () => {
  const deployment = new FakeDeployment('tiny', ['http://a']);
  const lease = queue().tryTake(deployment, wish(deployment), new Set());
  expect(deployment.all).toMatchObject([{ inFlight: 1, outstandingTokens: 7 }]);
  lease?.release();
  lease?.release();
  expect(deployment.all).toMatchObject([{ inFlight: 0, outstandingTokens: 0 }]);
});

test('a queue that is full refuses at once', async () => {
  const deployment = new FakeDeployment('tiny');
  const waiting = queue(1);
  const first = waiting.wait(wish(deployment));
  await expect(waiting.wait(wish(deployment))).rejects.toMatchObject({ status: 503, code: 'queue_full' });
  deployment.add('http://a');
  expect(await first).toBeDefined();
});

test('requests of batches wait behind all others, in a line of their own', async () => {
  const deployment = new FakeDeployment('tiny', ['http://a']);
  const waiting = queue(1);
  const avoid = new Set(['pod-0']);
  const order: string[] = [];
  const leave = new AbortController();
  const online = waiting.wait(wish(deployment, { avoid, signal: leave.signal })).then(() => order.push('online'));
  // A replica is free for it, but a request that came before it has none.
  const first = waiting.wait(wish(deployment, { batch: true })).then(() => order.push('batch'));
  expect(waiting.tryTake(deployment, wish(deployment, { batch: true }), new Set())).toBeUndefined();
  await expect(waiting.wait(wish(deployment, { batch: true }))).rejects.toMatchObject({ code: 'queue_full' });
  await expect(waiting.wait(wish(deployment))).rejects.toMatchObject({ code: 'queue_full' });
  expect(order).toEqual([]);
  await jest.advanceTimersByTimeAsync(2500);
  await Promise.all([online, first]);
  expect(order).toEqual(['online', 'batch']);
  expect(deployment.all).toMatchObject([{ inFlight: 2, batchInFlight: 1, outstandingTokens: 14 }]);
  expect(deployment.listeners).toBe(0);
});

test('requests of batches go on when the last client before them leaves', async () => {
  const deployment = new FakeDeployment('tiny', ['http://a']);
  const waiting = queue();
  const leave = new AbortController();
  const online = waiting.wait(wish(deployment, { avoid: new Set(['pod-0']), signal: leave.signal }));
  const batch = waiting.wait(wish(deployment, { batch: true }));
  leave.abort();
  expect(await online).toBeUndefined();
  expect((await batch)?.replica.podUid).toBe('pod-0');
  expect(deployment.listeners).toBe(0);
});
