import { beforeEach, describe, expect, test } from '@jest/globals';
import { MemoryLogger } from '../../test/support/kube.ts';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { InferenceDeployment, InferenceDeploymentSpec } from '../api/generated/inference-deployment.ts';
import { bucketOf } from '../channel/histogram.ts';
import type { LiveCount } from './live-count.ts';
import { TICK_MS, type ReplicaCounts, type TrafficSample } from './observation.ts';
import { Scaler } from './scaler.ts';
import { STALE_AFTER_MS } from './standing.ts';

const UID = 'uid-chat';

let now: number;
let resource: InferenceDeployment | undefined;
let traffic: TrafficSample | undefined;
let replicas: ReplicaCounts;
/** The scaler wrote the count, and nothing drains. */
let isDecided: boolean;
let active: string[];
let looks: number;
let passes: number;
let silentMs: number;
let batchReplicas: number;
let logger: MemoryLogger;
let scaler: Scaler;

function arrivals(perSecond: number, more: Partial<TrafficSample> = {}): TrafficSample {
  const count = (perSecond * TICK_MS) / 1000;
  return {
    intervalMs: TICK_MS,
    arrivals: count,
    latency: new Map(),
    ages: new Map(),
    inFlight: perSecond > 0 ? 1 : 0,
    held: 0,
    oldestHeldMs: 0,
    engines: [],
    ...more,
  };
}

function serving(count: number): ReplicaCounts {
  return { current: count, ready: count, pending: 0, blocked: 0, blockedBy: undefined, startTimesMs: [] };
}

function live(): LiveCount {
  return { replicas: replicas.current, isDecided };
}

function create(): Scaler {
  return new Scaler({
    active: () => active,
    observe: () => {
      looks += 1;
      return resource && { resource, live: live(), observation: { traffic, replicas, batchReplicas } };
    },
    hasWork: () => (traffic?.inFlight ?? 0) > 0,
    staleMs: () => silentMs,
    all: () => [UID],
    onChange: () => {
      passes += 1;
    },
    now: () => now,
    logger,
  });
}

function become(spec: Partial<InferenceDeploymentSpec>): InferenceDeployment {
  const { status } = resource ?? {};
  resource = { ...inferenceDeployment({ scaling: { targetRps: 1 }, ...spec }), ...(status && { status }) };
  return resource;
}

/** One tick, and the replicas that were decided on serve by the next. */
function tick(): number {
  now += TICK_MS;
  scaler.tick();
  replicas = serving(count());
  return replicas.current;
}

function count(): number {
  return scaler.standing(resource ?? become({}), live()).replicas;
}

function forgettings(): unknown[] {
  return logger.lines.filter(({ message }) => message.includes('is forgotten'));
}

beforeEach(() => {
  logger = new MemoryLogger();
  now = 1_000_000;
  active = [];
  looks = 0;
  passes = 0;
  silentMs = 0;
  batchReplicas = 0;
  resource = undefined;
  become({ maxReplicas: 6 });
  traffic = arrivals(0);
  replicas = serving(1);
  isDecided = false;
  scaler = create();
});

test('a deployment that nothing happens to is not looked at', () => {
  expect(count()).toBe(1);
  for (let time = 0; time < 9; time += 1) tick();
  expect(looks).toBe(0);
});

test('a count that was taken back on the way to what stands is no decision, also before the first tick', () => {
  resource = { ...become({ maxReplicas: 6 }), status: { scaling: { desiredReplicas: 1, reason: 'MinReplicas' } } };
  replicas = serving(3);
  expect(count()).toBe(1);
  // As written by the scaler in a pass that could not lower it yet.
  isDecided = true;
  expect(count()).toBe(1);
  expect(tick()).toBe(1);
});

test('one that has requests is decided on until it is at rest', () => {
  active = [UID];
  traffic = arrivals(3);
  expect(tick()).toBe(3);
  active = [];
  traffic = arrivals(0);
  for (let time = 0; time < 90; time += 1) tick();
  expect(count()).toBe(1);
  const before = looks;
  tick();
  expect(looks).toBe(before);
});

test('a pass is asked for when the decision changes, not with every tick', () => {
  active = [UID];
  traffic = arrivals(3);
  tick();
  expect(passes).toBe(1);
  for (let time = 0; time < 9; time += 1) {
    traffic = arrivals(2.8 + 0.02 * time);
    tick();
  }
  expect(passes).toBeLessThanOrEqual(2);
});

test('a request wakes what is at zero at once; the hundred with it change nothing more', () => {
  become({ minReplicas: 0, maxReplicas: 6 });
  replicas = serving(0);
  expect(count()).toBe(0);
  traffic = arrivals(20, { held: 100, inFlight: 100 });
  scaler.reported(UID);
  expect(passes).toBe(1);
  expect(count()).toBeGreaterThanOrEqual(1);
  for (let time = 0; time < 99; time += 1) scaler.reported(UID);
  expect([looks, passes]).toEqual([1, 1]);
});

test('also where not every gateway was heard of', () => {
  become({ minReplicas: 0, maxReplicas: 6 });
  replicas = serving(0);
  scaler = new Scaler({
    active: () => active,
    observe: () => resource && { resource, live: live(), observation: { traffic: undefined, replicas } },
    hasWork: () => true,
    staleMs: () => 0,
    all: () => [],
    onChange: () => {
      passes += 1;
    },
    now: () => now,
    logger: new MemoryLogger(),
  });
  scaler.reported(UID);
  expect([passes, count()]).toEqual([1, 1]);
});

test('a new leader keeps the count until a whole stabilisation window was seen', () => {
  const { spec } = become({ maxReplicas: 6, scaling: { targetRps: 1, stabilizationWindowSeconds: 60 } });
  resource = {
    ...inferenceDeployment(spec),
    status: { scaling: { desiredReplicas: 4, reason: 'RequestRate', message: 'm' } },
  };
  replicas = serving(4);
  traffic = undefined;
  expect(count()).toBe(4);
  expect([tick(), tick()]).toEqual([4, 4]);
  traffic = arrivals(0);
  const counts = Array.from({ length: 20 }, () => tick());
  expect(counts.slice(0, 9)).toEqual(Array(9).fill(4));
  expect(counts.at(-1)).toBe(1);
});

test('a new leader keeps the replicas of a scale-up that its predecessor did not tell', () => {
  const told = { desiredReplicas: 2, reason: 'RequestRate', message: 'm' };
  resource = { ...become({ maxReplicas: 6 }), status: { scaling: told } };
  replicas = serving(5);
  isDecided = true;
  expect(count()).toBe(5);
  traffic = arrivals(0);
  active = [UID];
  expect([tick(), tick()]).toEqual([5, 5]);
});

test('new bounds of the spec hold at once', () => {
  active = [UID];
  traffic = arrivals(3);
  tick();
  become({ maxReplicas: 2 });
  expect(count()).toBe(2);
  become({ minReplicas: 5, maxReplicas: 6 });
  expect(count()).toBe(5);
  become({ suspend: true });
  expect(scaler.standing(become({ suspend: true }), live())).toMatchObject({ replicas: 0, reason: 'Suspended' });
  tick();
  become({ minReplicas: 1, maxReplicas: 6 });
  expect(count()).toBe(1);
});

test('what was learned is told at most once a minute', () => {
  active = [UID];
  traffic = arrivals(1);
  const learn = (startedInMs: number): { loadSeconds: number | undefined; isTold: boolean } => {
    replicas = { ...serving(1), startTimesMs: [startedInMs] };
    const before = passes;
    now += TICK_MS;
    scaler.tick();
    return { loadSeconds: scaler.learned(resource ?? become({}))?.loadSeconds, isTold: passes > before };
  };
  tick();
  expect(learn(100_000)).toEqual({ loadSeconds: 100, isTold: true });
  expect(learn(900_000)).toEqual({ loadSeconds: 100, isTold: false });
  now += 60_000;
  expect(learn(900_000)).toEqual({ loadSeconds: expect.any(Number), isTold: true });
  expect(scaler.learned(resource ?? become({}))?.loadSeconds).toBeGreaterThan(200);
});

test('that what was learned is forgotten is logged once', () => {
  become({ model: { id: 'org/one' } });
  active = [UID];
  replicas = serving(1);
  traffic = arrivals(4, { latency: new Map([[bucketOf(1_000), 20]]) });
  for (let time = 0; time < 30; time += 1) tick();
  expect(forgettings()).toEqual([]);
  become({ model: { id: 'org/other' } });
  tick();
  // Nor again while gateways are silent.
  const was = traffic;
  traffic = undefined;
  for (let time = 0; time < 5; time += 1) tick();
  traffic = was;
  for (let time = 0; time < 30; time += 1) tick();
  expect(forgettings()).toEqual([
    expect.objectContaining({ level: 'info', fields: { namespace: 'team-a', name: 'chat' } }),
  ]);
});

test('one that has gone is forgotten', () => {
  active = [UID];
  resource = undefined;
  now += TICK_MS;
  scaler.tick();
  active = [];
  scaler.tick();
  expect(looks).toBe(1);
});

test('what goes wrong with one deployment is logged and leaves the others alone', () => {
  const looked: string[] = [];
  scaler = new Scaler({
    active: () => ['a', 'b'],
    observe: (uid) => {
      looked.push(uid);
      throw new Error('broken');
    },
    hasWork: () => false,
    staleMs: () => 0,
    all: () => [],
    onChange: () => undefined,
    now: () => now,
    logger,
  });
  scaler.tick();
  expect(looked).toEqual(['a', 'b']);
  expect(logger.lines.map(({ level, fields }) => [level, fields])).toEqual(
    looked.map((uid) => ['error', { uid, error: expect.stringContaining('broken') }]),
  );
});

test('deployments at rest are told once that a gateway is silent, and once that it is heard again', () => {
  become({ minReplicas: 1 });
  replicas = serving(1);
  traffic = undefined;
  scaler.tick();
  expect(looks).toBe(0);
  silentMs = STALE_AFTER_MS;
  scaler.tick();
  expect(scaler.standing(resource ?? become({}), live()).reason).toBe('SignalStale');
  for (let time = 0; time < 10; time += 1) scaler.tick();
  expect([looks, passes]).toEqual([1, 1]);
  silentMs = 0;
  traffic = arrivals(0);
  now += 60_000;
  scaler.tick();
  expect(scaler.standing(resource ?? become({}), live()).reason).toBe('MinReplicas');
});

describe('batches', () => {
  test('wake a deployment at rest at zero at once, and cost nothing after they ended', () => {
    become({ minReplicas: 0, maxReplicas: 6, scaling: { idleSeconds: 60, stabilizationWindowSeconds: 30 } });
    replicas = serving(0);
    expect(count()).toBe(0);
    batchReplicas = 3;
    scaler.batchesChanged(UID);
    expect(count()).toBe(3);
    expect(passes).toBe(1);
    for (let time = 0; time < 60; time += 1) expect(tick()).toBe(3);
    batchReplicas = 0;
    for (let time = 0; time < 60; time += 1) tick();
    expect(count()).toBe(0);
    const before = looks;
    tick();
    expect(looks).toBe(before);
  });

  test('raise what serves with the next tick', () => {
    replicas = serving(1);
    tick();
    batchReplicas = 2;
    scaler.batchesChanged(UID);
    expect(tick()).toBe(2);
  });

  test('that a new leader finds wait until gateways were heard of, and are not forgotten', () => {
    become({ minReplicas: 0, maxReplicas: 2 });
    replicas = serving(0);
    batchReplicas = 5;
    traffic = undefined;
    scaler.batchesChanged(UID);
    for (let time = 0; time < 3; time += 1) expect(tick()).toBe(0);
    traffic = arrivals(0);
    expect(tick()).toBe(2);
  });

  test('that the floor is enough for are not looked at again', () => {
    replicas = serving(1);
    batchReplicas = 1;
    scaler.batchesChanged(UID);
    for (let time = 0; time < 5; time += 1) tick();
    const before = looks;
    tick();
    expect(looks).toBe(before);
  });
});
