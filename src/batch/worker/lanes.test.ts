/** Who gets room, and what of it counts for the rate. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.ts';
import { pause } from '../../kube/backoff.ts';
import type { DeploymentLoad } from '../gateway.ts';
import type { WorkerClock } from './access.ts';
import { Lanes } from './lanes.ts';
import type { Rider } from './lanes.ts';

const IDLE: DeploymentLoad = {
  replicas: 1,
  onlineRequests: 0,
  onlineIdleMs: 60_000,
  batchRequests: 0,
  engineWaiting: 0,
  kvCacheUsage: 0,
  partial: false,
};
const CLOCK: WorkerClock = { wall: () => Date.now(), monotonic: () => performance.now(), pause };
const MIB = 1024 * 1024;

const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));
const silent = (): void => undefined;

let riders: Rider[] = [];

afterEach(() => {
  for (const rider of riders) rider.leave();
  riders = [];
});

function lanes(load: () => DeploymentLoad = () => IDLE, clock = CLOCK): Lanes {
  return new Lanes({
    gateways: { load: async () => load() },
    othersAreEarlier: () => false,
    clock,
    logger: { debug: silent, info: silent, warn: silent, error: silent },
  });
}

function join(to: Lanes, name: string): Rider {
  const rider = to.join({ namespace: 'team-a', name }, Date.now() + 60_000);
  riders.push(rider);
  return rider;
}

test('large bodies on one deployment leave each other one its first request', async () => {
  const { signal } = new AbortController();
  const both = lanes();
  const llama = join(both, 'llama');
  for (let count = 0; count < 8; count += 1) await llama.acquire(8 * MIB, signal);
  const other = join(both, 'other');
  await other.acquire(8 * MIB, signal);
  let second = false;
  void other.acquire(8 * MIB, signal).then(() => {
    second = true;
  });
  await turn();
  expect(second).toBe(false);
});

/** A replica with places for `PLACES` requests, which does `A_SECOND` of them each second. */
const PLACES = 16;
const A_SECOND = 8;

interface Run {
  /** Called for each request that the replica has done, with what gives its room back. */
  readonly done: (rider: Rider, giveBack: () => void) => void;
  readonly load?: Partial<DeploymentLoad>;
  /** Whether another process has as many requests under way, of which nothing is done meanwhile. */
  readonly others?: boolean;
}

/** Returns the rate measured in ten minutes, as fast as the event loop turns. */
async function measured({ done, load, others = false }: Run): Promise<number | undefined> {
  const stop = new AbortController();
  const running: (() => void)[] = [];
  let nowMs = 0;
  const clock: WorkerClock = {
    wall: () => nowMs,
    monotonic: () => nowMs,
    pause: async (ms) => {
      await turn();
      nowMs += ms;
      for (const giveBack of running.splice(0, A_SECOND)) done(rider, giveBack);
      await turn();
    },
  };
  const engine = (): DeploymentLoad => ({
    ...IDLE,
    batchRequests: (others ? 2 : 1) * running.length,
    engineWaiting: Math.max(0, running.length - PLACES),
    ...load,
  });
  const rider = join(lanes(engine, clock), 'llama');
  const sending = async (): Promise<void> => {
    for (;;) running.push(await rider.acquire(1, stop.signal));
  };
  const sent = sending().catch(silent);
  await eventually(() => expect(nowMs).toBeGreaterThanOrEqual(600_000));
  stop.abort();
  await sent;
  return rider.pace().ratePerReplica;
}

function does(rider: Rider, giveBack: () => void): void {
  rider.finished();
  giveBack();
}

function fails(rider: Rider, giveBack: () => void): void {
  does(rider, giveBack);
  rider.failed();
}

describe('the rate of a replica', () => {
  test('is what it does once it has all it can take', async () => {
    expect(await measured({ done: does })).toBeCloseTo(A_SECOND, 0);
  });

  test('is not measured where requests keep their room and engines have none of them, as with a full store', async () => {
    expect(await measured({ done: does, load: { batchRequests: 0 } })).toBeUndefined();
  });

  test('is not measured while tries come to nothing', async () => {
    expect(await measured({ done: fails })).toBeUndefined();
  });

  test('is not measured of replicas that do nothing', async () => {
    expect(await measured({ done: (_rider, giveBack) => giveBack() })).toBeUndefined();
  });

  test('is by the share of the replicas that this process has, beside another that has as much', async () => {
    const rate = await measured({ done: does, others: true });
    expect(rate).toBeCloseTo(2 * A_SECOND, -1);
  });
});
