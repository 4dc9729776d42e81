import { setImmediate } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Change } from '../../kube/informer.ts';
import { StoreUnavailable, type StoredObject } from '../../store/object-store.ts';
import { TooMuchUsage } from '../too-much-usage.ts';
import { ReplicaTimeRecorder } from './recorder.ts';
import { ReplicaTimeRecords } from './records.ts';

const HOUR = 3_600;
const DAY = Date.parse('2026-11-25T00:00:00Z') / 1_000;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

class WeakStore extends MemoryStore {
  isDown = false;
  isUnreadable = false;
  /** A namespace of which nothing is read or written. */
  broken: string | undefined;

  override async put(...parameters: Parameters<MemoryStore['put']>): Promise<number> {
    if (this.isDown || this.#isBroken(parameters[0])) throw new StoreUnavailable('down');
    return await super.put(...parameters);
  }

  override list(...parameters: Parameters<MemoryStore['list']>): AsyncGenerator<StoredObject> {
    if (this.isUnreadable || this.#isBroken(parameters[0])) throw new StoreUnavailable('down');
    return super.list(...parameters);
  }

  #isBroken(key: string): boolean {
    return this.broken !== undefined && key.startsWith(`replica-time/${this.broken}/`);
  }
}

let store: WeakStore;
let deployments: InferenceDeployment[];
/** Seconds of the day. */
let now: number;
let isSteady: boolean;
let listeners: ((change: Change<InferenceDeployment>) => void)[];
let recorder: ReplicaTimeRecorder;

beforeEach(() => {
  store = new WeakStore();
  deployments = [];
  now = 0;
  isSteady = true;
  start();
});

/** A process that knows nothing but the store. */
function start(writer = 'a'): void {
  listeners = [];
  recorder = startedBy(writer);
}

function startedBy(writer: string): ReplicaTimeRecorder {
  return new ReplicaTimeRecorder({
    deployments: {
      list: (namespace) => deployments.filter(({ metadata }) => [undefined, metadata.namespace].includes(namespace)),
      onChange: (listener) => void listeners.push(listener),
    },
    records: new ReplicaTimeRecords(store, silent, writer),
    now: () => (DAY + now) * 1_000,
    clock: { isSteady: () => isSteady },
    logger: silent,
  });
}

/** One whose replicas, each with two accelerators at 1.50, have had these sums at `asOf`. */
function deployment(
  asOf: number,
  replicaSeconds: number,
  running: number,
  name = 'chat',
  namespace = 'team-a',
): InferenceDeployment {
  return {
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      creationTimestamp: new Date(DAY * 1_000).toISOString(),
    },
    spec: { model: { id: 'org/model' } },
    status: {
      cost: { currency: 'EUR', perHour: (3 * running).toFixed(2), perGpuHour: '1.50' },
      usage: {
        replicaSeconds,
        gpuSeconds: 2 * replicaSeconds,
        asOf: new Date((DAY + asOf) * 1_000).toISOString(),
        replicasSince: running,
        running: Array.from({ length: running }, (_, index) => ({ uid: `${name}-${index}`, gpus: 2 })),
      },
    },
  };
}

async function tickAt(seconds: number): Promise<void> {
  now = seconds;
  await recorder.tick();
}

function range(begin: number, end: number) {
  const { signal } = new AbortController();
  return { start: DAY + begin, end: DAY + end, bucketSeconds: HOUR, mostRows: 1_000, mostBytes: 100_000, signal };
}

/** Tells the process that they have gone. */
async function remove(gone: readonly InferenceDeployment[]): Promise<void> {
  deployments = deployments.filter((one) => !gone.includes(one));
  for (const listener of listeners) for (const object of gone) listener({ type: 'deleted', object });
  await setImmediate();
}

/** `HOUR: REPLICA-SECONDS GPU-SECONDS COST` of each hour. */
async function hours(end = 24 * HOUR, begin = 0): Promise<string[]> {
  const rows = await recorder.rows('team-a', range(begin, end));
  return rows.map(({ start: from, deployment: name, replicaSeconds, gpuSeconds, cost }) => {
    const sums = [replicaSeconds, gpuSeconds].map((sum) => Math.round(sum));
    return `${name} ${(from - DAY) / HOUR}: ${sums.join(' ')} ${(cost['EUR'] ?? 0).toFixed(2)}`;
  });
}

async function hoursOfChat(begin: number, end: number): Promise<string[]> {
  return (await hours(end, begin)).filter((one) => one.startsWith('chat'));
}

describe('by the hour', () => {
  test('is the time of each hour, and of the present one until now', async () => {
    await tickAt(0);
    deployments = [deployment(600, 0, 1)];
    await tickAt(HOUR + 5);
    await tickAt(2 * HOUR + 40);
    now = 2 * HOUR + 600;
    expect(await hours()).toEqual(['chat 0: 3000 6000 2.50', 'chat 1: 3600 7200 3.00', 'chat 2: 600 1200 0.50']);
    expect(await hours(2 * HOUR, HOUR)).toEqual(['chat 1: 3600 7200 3.00']);
    expect([...store.objects.keys()]).toEqual(['replica-time/team-a/2026-11-25.a']);
  });

  test('what ran after a long rest is of the hour that it ran in', async () => {
    deployments = [deployment(0, 0, 0)];
    await tickAt(5);
    const [before] = [...store.objects.values()];
    for (let hour = 1; hour < 5; hour += 1) await tickAt(hour * HOUR + 5);
    // Hours of rest take no room.
    expect([...store.objects.values()]).toEqual([before]);
    deployments = [deployment(4 * HOUR + 1_800, 0, 2)];
    await tickAt(5 * HOUR + 5);
    expect(await hours(5 * HOUR)).toEqual(['chat 4: 3600 7200 3.00']);
  });

  test('goes on with another process; what nobody took is spread over the time between', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    await tickAt(HOUR + 5);
    start();
    await tickAt(3 * HOUR);
    expect(await hours(3 * HOUR)).toEqual([0, 1, 2].map((hour) => `chat ${hour}: 3600 7200 3.00`));
  });

  test('a deployment that is deleted is counted to its end, and one of its name is another', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    now = 1_800;
    await remove(deployments);
    const again = deployment(2_400, 0, 1);
    again.metadata = {
      ...again.metadata,
      uid: 'uid-again',
      creationTimestamp: new Date((DAY + 2_400) * 1_000).toISOString(),
    };
    deployments = [again];
    await tickAt(HOUR + 5);
    expect(await hours(HOUR)).toEqual(['chat 0: 3000 6000 2.50']);
  });

  test('a store that is away loses nothing', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    store.isDown = true;
    await tickAt(HOUR + 5);
    await tickAt(2 * HOUR + 5);
    expect(await hours(2 * HOUR)).toEqual([0, 1].map((hour) => `chat ${hour}: 3600 7200 3.00`));
    store.isDown = false;
    await tickAt(2 * HOUR + 65);
    start();
    expect(await hours(2 * HOUR)).toEqual([0, 1].map((hour) => `chat ${hour}: 3600 7200 3.00`));
  });

  test('an end that becomes known late takes nothing back', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    await tickAt(HOUR);
    deployments = [deployment(HOUR, HOUR - 10, 1)];
    await tickAt(2 * HOUR);
    expect(await hours(2 * HOUR)).toEqual(['chat 0: 3600 7200 3.00', 'chat 1: 3590 7180 2.99']);
  });

  test('a clock that was set back takes nothing back', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    await tickAt(2 * HOUR);
    start();
    await tickAt(HOUR);
    await tickAt(3 * HOUR);
    expect(await hours(3 * HOUR)).toEqual([0, 1, 2].map((hour) => `chat ${hour}: 3600 7200 3.00`));
  });

  test('a deployment at rest costs nothing, whatever it has run before and whatever the price is now', async () => {
    const day = 24 * HOUR;
    deployments = [deployment(600, 0, 1)];
    await tickAt(HOUR);
    deployments = [deployment(2 * HOUR, 2 * HOUR - 600, 0), deployment(0, 0, 1, 'busy')];
    for (let hour = 2; hour <= 72; hour += 1) await tickAt(hour * HOUR + 5);
    expect(await hoursOfChat(day, 4 * day)).toEqual([]);
    const past = ['chat 0: 3000 6000 2.50', 'chat 1: 3600 7200 3.00'];
    expect(await hoursOfChat(0, day)).toEqual(past);
    start();
    for (const one of deployments) if (one.status?.cost) one.status.cost.perGpuHour = '100';
    await tickAt(3 * day + HOUR + 5);
    deployments = [deployment(3 * day + HOUR + 5, 2 * HOUR - 600, 1)];
    await tickAt(3 * day + 2 * HOUR);
    expect(await hoursOfChat(day, 3 * day)).toEqual([]);
    expect(await hoursOfChat(3 * day, 4 * day)).toEqual(['chat 73: 3595 7190 3.00']);
    expect(await hoursOfChat(0, 4 * day)).toEqual([...past, 'chat 73: 3595 7190 3.00']);
  });

  test('what ran before anybody kept it is not told of any hour', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(72 * HOUR + 5);
    await tickAt(73 * HOUR);
    expect(await hours(96 * HOUR)).toEqual(['chat 72: 3595 7190 3.00']);
  });

  test('nothing is taken by a clock that jumped, and goes on when it is right again', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(HOUR);
    isSteady = false;
    await tickAt(1_000 * HOUR);
    expect(await hours(2_000 * HOUR)).toEqual(['chat 0: 3600 7200 3.00']);
    isSteady = true;
    await tickAt(3 * HOUR);
    expect(await hours(2_000 * HOUR)).toEqual([0, 1, 2].map((hour) => `chat ${hour}: 3600 7200 3.00`));
  });

  test('a deployment that is deleted while the clock is wrong has what was kept before', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(HOUR);
    isSteady = false;
    now = 1_000 * HOUR;
    await remove(deployments);
    isSteady = true;
    await tickAt(3 * HOUR);
    expect(await hours()).toEqual(['chat 0: 3600 7200 3.00']);
    expect([...store.objects.keys()]).toEqual(['replica-time/team-a/2026-11-25.a']);
  });

  test('what a clock that was wrong from the start has kept is passed over when it is right', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(HOUR);
    start('b');
    await tickAt(1_000 * HOUR);
    await tickAt(2 * HOUR);
    await tickAt(3 * HOUR);
    start('c');
    deployments = [];
    expect(await hours(2_000 * HOUR)).toEqual([0, 1, 2].map((hour) => `chat ${hour}: 3600 7200 3.00`));
  });

  test('the last sums of a deployment that is deleted while the store is away are kept when it is back', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    start();
    store.isUnreadable = true;
    now = 1_800;
    await remove(deployments);
    await tickAt(2 * HOUR);
    store.isUnreadable = false;
    await tickAt(2 * HOUR + 60);
    expect(await hours(2 * HOUR)).toEqual(['chat 0: 1800 3600 1.50']);
  });

  test('a namespace that cannot be read or written keeps no other from being kept', async () => {
    const lost = deployment(0, 0, 1, 'lost', 'broken');
    store.broken = 'broken';
    deployments = [lost, deployment(0, 0, 1)];
    await tickAt(0);
    await tickAt(HOUR);
    await remove([lost]);
    now = HOUR + 1_800;
    await remove(deployments);
    start();
    expect(await hours()).toEqual(['chat 0: 3600 7200 3.00', 'chat 1: 1800 3600 1.50']);
  });

  test('a namespace that could not be written is when it can be, and the others are not taken again', async () => {
    deployments = [deployment(0, 0, 1, 'other', 'broken'), deployment(0, 0, 1)];
    await tickAt(0);
    store.broken = 'broken';
    await tickAt(HOUR);
    const kept = [...store.objects.values()].map(({ content }) => String(content));
    await tickAt(HOUR + 60);
    expect([...store.objects.values()].map(({ content }) => String(content))).toEqual(kept);
    store.broken = undefined;
    await tickAt(HOUR + 120);
    start();
    deployments = [];
    expect(await recorder.rows('broken', range(0, HOUR))).toMatchObject([{ replicaSeconds: 3_600 }]);
  });

  test('the first deployment of a namespace is seen before the next hour', async () => {
    await tickAt(5);
    deployments = [deployment(600, 0, 1)];
    await tickAt(660);
    now = 1_200;
    expect(await hours()).toEqual(['chat 0: 600 1200 0.50']);
  });

  test('a deployment that is deleted as a day begins takes nothing from what is known of others', async () => {
    deployments = [deployment(0, 0, 1), deployment(0, 0, 1, 'gone')];
    for (let hour = 0; hour < 24; hour += 1) await tickAt(hour * HOUR);
    now = 24 * HOUR;
    await remove(deployments.slice(1));
    start('b');
    await tickAt(24 * HOUR + 60);
    await tickAt(25 * HOUR);
    const ofDay = ['chat 24: 3600 7200 3.00'];
    expect(await hoursOfChat(24 * HOUR, 25 * HOUR)).toEqual(ofDay);
    start('c');
    await tickAt(72 * HOUR);
    expect(await hoursOfChat(23 * HOUR, 25 * HOUR)).toEqual(['chat 23: 3600 7200 3.00', ...ofDay]);
    const costs = (await recorder.rows('team-a', range(0, 72 * HOUR))).map(({ cost }) => cost['EUR'] ?? 0);
    expect(costs.reduce((sum, cost) => sum + cost, 0)).toBeCloseTo((72 + 24) * 3, 6);
  });

  test('of deployments that go while the store is away no more are remembered than fit', async () => {
    deployments = [deployment(0, 0, 1, 'first'), deployment(0, 0, 1, 'second')];
    await tickAt(5);
    const gone = deployments;
    start();
    store.isUnreadable = true;
    now = 1_800;
    await remove([...gone, ...Array.from({ length: 9_999 }, (_, at) => deployment(0, 0, 0, `other-${at}`))]);
    store.isUnreadable = false;
    await tickAt(HOUR);
    const rows = await recorder.rows('team-a', { ...range(0, HOUR), mostRows: 20_000, mostBytes: 1e7 });
    expect(rows).toMatchObject([
      { deployment: 'first', replicaSeconds: 5 },
      { deployment: 'second', replicaSeconds: 1_800 },
    ]);
  });

  test('an hour of which the store could not be asked is taken when it can be', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    start();
    store.isUnreadable = true;
    await tickAt(HOUR);
    store.isUnreadable = false;
    await tickAt(HOUR + 60);
    start('b');
    deployments = [];
    expect(await hours(HOUR)).toEqual(['chat 0: 3600 7200 3.00']);
  });

  test('two processes at a time keep each what the other does not', async () => {
    const other = startedBy('b');
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    await other.tick();
    now = HOUR;
    await Promise.all([recorder.tick(), other.tick()]);
    now = 2 * HOUR;
    await other.tick();
    now = 3 * HOUR;
    await recorder.tick();
    expect(await hours(3 * HOUR)).toEqual([0, 1, 2].map((hour) => `chat ${hour}: 3600 7200 3.00`));
    expect(store.objects.size).toBe(2);
  });

  test('of two processes that know of different prices none takes back what the other has counted', async () => {
    const other = startedBy('b');
    deployments = [deployment(0, 0, 1)];
    const [chat] = deployments;
    const cost = chat?.status?.cost;
    delete chat?.status?.cost;
    await tickAt(5);
    await other.tick();
    await tickAt(2 * HOUR);
    if (chat?.status && cost) chat.status.cost = cost;
    await tickAt(3 * HOUR);
    now = 4 * HOUR;
    await other.tick();
    await tickAt(5 * HOUR);
    now = 6 * HOUR;
    await other.tick();
    // Which has priced the two first hours, too, with what it knew at the end of the fourth.
    const costs = (await hours(6 * HOUR)).map((one) => Number(one.split(' ').at(-1)));
    expect(costs.reduce((sum, one) => sum + one, 0)).toBeCloseTo(18, 1);
  });

  test('an hour at whose end no price is known costs what the last did', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(HOUR);
    delete deployments[0]?.status?.cost;
    start();
    await tickAt(2 * HOUR);
    expect(await hours(2 * HOUR)).toEqual([0, 1].map((hour) => `chat ${hour}: 3600 7200 3.00`));
  });

  test('more rows or bytes than are allowed are refused', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(24 * HOUR);
    const most = async (limits: object): Promise<unknown> =>
      await recorder.rows('team-a', { ...range(0, 24 * HOUR), ...limits });
    await expect(most({ mostRows: 23 })).rejects.toThrow(TooMuchUsage);
    await expect(most({ mostBytes: 10 })).rejects.toThrow(TooMuchUsage);
    await expect(most({ mostRows: 24 })).resolves.toHaveLength(24);
  });

  test('of many days is answered though they have more bytes than are held at a time', async () => {
    deployments = [deployment(0, 0, 1)];
    for (let hour = 0; hour <= 96; hour += 1) await tickAt(hour * HOUR);
    const sizes = [...store.objects.values()].map(({ content }) => content.length);
    const days = { ...range(0, 96 * HOUR), mostBytes: Math.max(...sizes) };
    expect(await recorder.rows('team-a', days)).toHaveLength(96);
  });

  test('is kept for 400 days', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    await tickAt(401 * 24 * HOUR - 10);
    expect([...store.objects.keys()]).toHaveLength(2);
    await tickAt(401 * 24 * HOUR + 5);
    expect([...store.objects.keys()]).not.toContain('replica-time/team-a/2026-11-25.a');
  });
});
