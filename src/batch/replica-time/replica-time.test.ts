import { beforeEach, describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Change } from '../../kube/informer.ts';
import { StoreUnavailable } from '../../store/object-store.ts';
import { withReplicaTime } from './join.ts';
import { ReplicaTimeRecorder } from './recorder.ts';
import { ReplicaTimeRecords } from './records.ts';

const HOUR = 3_600;
const DAY = Date.parse('2026-11-25T00:00:00Z') / 1_000;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {}

function row(start: number, deployment: string | null) {
  return { start, deployment, requests: 0 };
}

class WeakStore extends MemoryStore {
  isDown = false;

  override async put(...parameters: Parameters<MemoryStore['put']>): Promise<number> {
    if (this.isDown) throw new StoreUnavailable('down');
    return await super.put(...parameters);
  }
}

let store: WeakStore;
let deployments: InferenceDeployment[];
/** Seconds of the day. */
let now: number;
let listeners: ((change: Change<InferenceDeployment>) => void)[];
let recorder: ReplicaTimeRecorder;

beforeEach(() => {
  store = new WeakStore();
  deployments = [];
  now = 0;
  start();
});

/** A process that knows nothing but the store. */
function start(): void {
  listeners = [];
  recorder = new ReplicaTimeRecorder({
    deployments: {
      list: (namespace) => deployments.filter(({ metadata }) => metadata.namespace === (namespace ?? 'team-a')),
      onChange: (listener) => void listeners.push(listener),
    },
    records: new ReplicaTimeRecords(store, silent),
    now: () => (DAY + now) * 1_000,
    clock: { isSteady: () => true },
    logger: silent,
  });
}

/** One whose replicas, each with two accelerators at 1.50, have had these sums at `asOf`. */
function deployment(asOf: number, replicaSeconds: number, running: number, name = 'chat'): InferenceDeployment {
  return {
    metadata: {
      name,
      namespace: 'team-a',
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

/** `HOUR: REPLICA-SECONDS GPU-SECONDS COST` of each hour. */
async function hours(end = 24 * HOUR, begin = 0): Promise<string[]> {
  const rows = await recorder.rows('team-a', { start: DAY + begin, end: DAY + end, bucketSeconds: HOUR });
  return rows.map(({ start: from, deployment: name, replicaSeconds, gpuSeconds, cost }) => {
    const sums = [replicaSeconds, gpuSeconds].map((sum) => Math.round(sum));
    return `${name} ${(from - DAY) / HOUR}: ${sums.join(' ')} ${(cost['EUR'] ?? 0).toFixed(2)}`;
  });
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
    expect([...store.objects.keys()]).toEqual(['replica-time/team-a/2026-11-25']);
  });

  test('what ran after a long rest is of the hour that it ran in', async () => {
    deployments = [deployment(0, 0, 0)];
    for (let hour = 0; hour < 5; hour += 1) await tickAt(hour * HOUR + 5);
    const bytes = store.objects.get('replica-time/team-a/2026-11-25')?.content.length;
    deployments = [deployment(4 * HOUR + 1_800, 0, 2)];
    await tickAt(5 * HOUR + 5);
    expect(await hours(5 * HOUR)).toEqual(['chat 4: 3600 7200 3.00']);
    // Hours of rest take no room.
    expect(bytes).toBeLessThan(300);
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
    const gone = deployments;
    deployments = [];
    for (const listener of listeners) for (const object of gone) listener({ type: 'deleted', object });
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

  test('is kept for 400 days', async () => {
    deployments = [deployment(0, 0, 1)];
    await tickAt(5);
    await tickAt(401 * 24 * HOUR - 10);
    expect([...store.objects.keys()]).toHaveLength(2);
    await tickAt(401 * 24 * HOUR + 5);
    expect([...store.objects.keys()]).not.toContain('replica-time/team-a/2026-11-25');
  });
});

test('rows of requests carry the time of their deployment, and there is one for each that ran without any', () => {
  const times = [
    { start: 0, deployment: 'chat', replicaSeconds: 3_600.4, gpuSeconds: 7_200, cost: { EUR: 3, USD: 0 } },
    { start: 0, deployment: 'idle', replicaSeconds: 60, gpuSeconds: 0, cost: {} },
    { start: 3_600, deployment: 'both', replicaSeconds: 60, gpuSeconds: 60, cost: { EUR: 1, USD: 1 } },
  ];
  expect(withReplicaTime([{ ...row(0, 'chat'), requests: 7 }, row(3_600, 'other')], times, row)).toEqual([
    {
      start: 0,
      deployment: 'chat',
      requests: 7,
      replica_seconds: 3_600,
      gpu_seconds: 7_200,
      cost: '3.00',
      currency: 'EUR',
    },
    { start: 0, deployment: 'idle', requests: 0, replica_seconds: 60, gpu_seconds: 0 },
    { start: 3_600, deployment: 'both', requests: 0, replica_seconds: 60, gpu_seconds: 60 },
    { start: 3_600, deployment: 'other', requests: 0 },
  ]);
});
