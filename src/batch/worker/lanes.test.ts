/** Who gets room, and what of it counts for the rate. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../../../test/support/eventually.ts';
import { pause } from '../../kube/backoff.ts';
import type { DeploymentLoad } from '../gateway.ts';
import type { WorkerClock } from './access.ts';
import { Lanes, MOST_UNSAVED } from './lanes.ts';
import type { Rider, Room } from './lanes.ts';

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

/** Answers everything that gets room until nothing does any more; returns the rooms. */
async function answerAll(rider: Rider, signal: AbortSignal): Promise<Room[]> {
  const rooms: Room[] = [];
  const sending = async (): Promise<void> => {
    for (;;) {
      const room = await rider.acquire(1, signal);
      rooms.push(room);
      room.answered();
    }
  };
  void sending().catch(silent);
  for (let turns = 0, before = -1; turns < 3; turns = rooms.length === before ? turns + 1 : 0) {
    before = rooms.length;
    await turn();
  }
  return rooms;
}

test('an answer makes room at the engine at once; a store that takes none of them bounds how many', async () => {
  const stop = new AbortController();
  const rider = join(lanes(), 'llama');
  const rooms = await answerAll(rider, stop.signal);
  expect(rooms).toHaveLength(MOST_UNSAVED);
  rooms[0]?.giveBack();
  await turn();
  expect(rooms).toHaveLength(MOST_UNSAVED + 1);
  stop.abort();
});

/** A replica with places for `PLACES` requests, which does `A_SECOND` of them each second. */
const PLACES = 16;
const A_SECOND = 8;

interface Run {
  /** Called for each request that the replica has done. */
  readonly done: (rider: Rider, room: Room) => void;
  readonly load?: Partial<DeploymentLoad>;
  /** Whether another process has as many requests under way, of which nothing is done meanwhile. */
  readonly others?: boolean;
}

/** Returns the rate measured in ten minutes, as fast as the event loop turns. */
async function measured({ done, load, others = false }: Run): Promise<number | undefined> {
  const stop = new AbortController();
  const running: Room[] = [];
  let nowMs = 0;
  const clock: WorkerClock = {
    wall: () => nowMs,
    monotonic: () => nowMs,
    pause: async (ms) => {
      await turn();
      nowMs += ms;
      for (const room of running.splice(0, A_SECOND)) done(rider, room);
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

function does(rider: Rider, room: Room): void {
  rider.finished();
  room.giveBack();
}

function fails(rider: Rider, room: Room): void {
  does(rider, room);
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
    expect(await measured({ done: (_rider, room) => room.giveBack() })).toBeUndefined();
  });

  test('is by the share of the replicas that this process has, beside another that has as much', async () => {
    const rate = await measured({ done: does, others: true });
    expect(rate).toBeCloseTo(2 * A_SECOND, -1);
  });
});
