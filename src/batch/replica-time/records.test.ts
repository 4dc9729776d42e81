/** Keeping the objects of a day few. */
import { expect, test } from '@jest/globals';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import { Crash, MortalStore } from '../../../test/support/mortal-store.ts';
import { ReplicaTimeRecords } from './records.ts';
import type { Snapshot } from './snapshots.ts';

const HOUR = 3_600;
const DAY = Date.parse('2026-11-25T00:00:00Z') / 1_000;
const OVER = DAY + 26 * HOUR;
const { signal } = new AbortController();

function recordsOf(store: MemoryStore, writer: string): ReplicaTimeRecords {
  return new ReplicaTimeRecords(store, { error: () => undefined }, writer);
}

function snapshot(hour: number, uid = 'chat'): Snapshot {
  const at = DAY + hour * HOUR;
  return { uid, deployment: uid, at, replicaSeconds: hour * HOUR, gpuSeconds: hour * HOUR, cost: { EUR: hour } };
}

/** One process after the other has taken an hour of the day. */
async function addedBy(store: MemoryStore, writers: readonly string[]): Promise<void> {
  for (const [index, writer] of writers.entries()) {
    const at = DAY + index * HOUR;
    await recordsOf(store, writer).add('team', { at, now: at }, [snapshot(index)]);
  }
}

async function hoursOf(store: MemoryStore): Promise<number[]> {
  const range = { start: DAY, end: DAY + 48 * HOUR, now: OVER, mostBytes: 1e6, signal };
  const hours: number[] = [];
  for await (const day of recordsOf(store, 'f').read('team', range)) {
    hours.push(...day.map(({ at }) => (at - DAY) / HOUR));
  }
  return [...new Set(hours)].toSorted((a, b) => a - b);
}

test('a day that is over has one object, and no other is touched', async () => {
  const store = new MemoryStore();
  await addedBy(store, ['a', 'b', 'c']);
  const next = { at: DAY + 24 * HOUR, now: DAY + 24 * HOUR };
  for (const writer of ['d', 'e']) await recordsOf(store, writer).add('team', next, [snapshot(24)]);
  await recordsOf(store, 'a').add('other', { at: DAY, now: DAY }, [snapshot(0)]);
  await recordsOf(store, 'f').tidy(OVER - 1, signal);
  expect(store.objects.size).toBe(6);
  await recordsOf(store, 'f').tidy(OVER, signal);
  expect(store.objects.size).toBe(4);
  expect(await hoursOf(store)).toEqual([0, 1, 2, 24]);
  const keys = [...store.objects.keys()];
  await recordsOf(store, 'f').tidy(OVER + HOUR, signal);
  expect([...store.objects.keys()]).toEqual(keys);
});

test('nothing is lost wherever merging is cut off', async () => {
  for (let lifetime = 0; ; lifetime += 1) {
    const store = new MortalStore();
    await addedBy(store, ['a', 'b', 'c']);
    store.lifetime = lifetime;
    await recordsOf(store, 'a').tidy(OVER, signal);
    const crashed = store.lifetime < 0;
    expect(await hoursOf(store)).toEqual([0, 1, 2]);
    store.lifetime = Number.POSITIVE_INFINITY;
    await Promise.all(['a', 'd'].map(async (writer) => await recordsOf(store, writer).tidy(OVER, signal)));
    expect(await hoursOf(store)).toEqual([0, 1, 2]);
    if (!crashed) break;
  }
});

test('what is written late of a day changes no object that another process may be merging', async () => {
  const store = new MemoryStore();
  await addedBy(store, ['a', 'b']);
  const late = { at: DAY, now: OVER };
  const get = store.get.bind(store);
  store.get = async (...parameters) => {
    const found = await get(...parameters);
    // When all has been read, and before it is removed.
    if (parameters[0].endsWith('.b')) {
      store.get = get;
      await recordsOf(store, 'a').add('team', late, [snapshot(5)]);
    }
    return found;
  };
  await recordsOf(store, 'c').tidy(OVER, signal);
  expect(await hoursOf(store)).toEqual([0, 1, 5]);
});

test('an answer is whole while a day is merged beside it', async () => {
  const store = new MemoryStore();
  await addedBy(store, ['a', 'b', 'c']);
  const get = store.get.bind(store);
  store.get = async (...parameters) => {
    store.get = get;
    await recordsOf(store, 'd').tidy(OVER, signal);
    return await get(...parameters);
  };
  expect(await hoursOf(store)).toEqual([0, 1, 2]);
  expect(store.objects.size).toBe(1);
});

test('what cannot be read or merged is left, and keeps no other from being merged', async () => {
  const store = new MemoryStore();
  await addedBy(store, ['a', 'b']);
  await store.put('replica-time/team/2026-11-25.c', Buffer.from('no'));
  for (const writer of ['a', 'b']) await recordsOf(store, writer).add('broken', { at: DAY, now: DAY }, [snapshot(0)]);
  const put = store.put.bind(store);
  store.put = async (...parameters) => {
    if (parameters[0].includes('/broken/')) throw new Crash();
    return await put(...parameters);
  };
  await recordsOf(store, 'd').tidy(OVER, signal);
  expect([...store.objects.keys()].filter((key) => key.includes('/team/'))).toHaveLength(2);
  expect(store.objects.has('replica-time/team/2026-11-25.c')).toBe(true);
  expect([...store.objects.keys()].filter((key) => key.includes('/broken/'))).toHaveLength(2);
});
