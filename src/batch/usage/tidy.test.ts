import { describe, expect, test } from '@jest/globals';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import { MortalStore } from '../../../test/support/mortal-store.ts';
import type { UsagePart, UsageReport } from '../../channel/usage-report.ts';
import { TooMuchUsage } from '../too-much-usage.ts';
import { KEPT_MS, tidyUsage, type Tidied } from './tidy.ts';
import { UsageRecords } from './usage-records.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DAY = Date.UTC(2026, 10, 25);
const NOW = DAY + DAY_MS + 3 * HOUR_MS;

function report(part: string, hour: number, requests: number, more: Partial<UsageReport> = {}): UsageReport {
  return {
    namespace: 'team',
    hour: (DAY + hour * HOUR_MS) / 1000,
    part,
    revision: 1,
    replaces: null,
    rows: [
      {
        key: 'web',
        namespace: 'team',
        deployment: 'chat',
        requests,
        failedRequests: 0,
        answeredRequests: requests,
        promptTokens: 0,
        cachedTokens: 0,
        completionTokens: 0,
        firstTokenMs: 0,
        latencyMs: 0,
      },
    ],
    ...more,
  };
}

const logger = { error: () => undefined };

function world(): { store: MortalStore; records: UsageRecords; tidy: (nowMs?: number) => Promise<Tidied> } {
  const store = new MortalStore();
  const records = new UsageRecords(store, logger);
  const signal = new AbortController().signal;
  return { store, records, tidy: (nowMs = NOW) => tidyUsage(store, records, { nowMs, signal }) };
}

async function partsOf(
  records: UsageRecords,
  range: { fromMs: number; toMs: number; mostBytes: number },
): Promise<UsagePart[]> {
  const parts: UsagePart[] = [];
  for await (const day of records.read('team', { ...range, signal: new AbortController().signal })) parts.push(...day);
  return parts;
}

async function requests(records: UsageRecords, fromMs = DAY): Promise<number> {
  const parts = await partsOf(records, { fromMs, toMs: NOW + DAY_MS, mostBytes: 1e6 });
  return parts.flatMap(({ rows }) => rows).reduce((sum, row) => sum + row.requests, 0);
}

describe('merging', () => {
  test('leaves one object of a day that is over, and no other is touched', async () => {
    const { store, records, tidy } = world();
    for (let hour = 0; hour < 24; hour += 1) await records.add(report(`a-${hour}`, hour, 1));
    await records.add(report('b-1', 25, 100));
    expect(await tidy()).toEqual({ merged: 24, removed: 0 });
    expect(store.objects.size).toBe(2);
    expect(await requests(records)).toBe(124);
    expect(await tidy()).toEqual({ merged: 0, removed: 0 });
    // By the hour as before.
    expect(await requests(records, DAY + 20 * HOUR_MS)).toBe(104);
  });

  test('a late revision takes the place of its part, told before, after or again', async () => {
    const { store, records, tidy } = world();
    await records.add(report('a-1', 1, 1));
    await records.add(report('a-2', 2, 10));
    await tidy();
    await records.add(report('a-1', 1, 1));
    expect(await requests(records)).toBe(11);
    await records.add(report('a-1', 1, 5, { revision: 3, replaces: 1 }));
    expect(await requests(records)).toBe(15);
    await tidy();
    expect(store.objects.size).toBe(1);
    await records.add(report('a-1', 1, 3, { revision: 2 }));
    expect(await requests(records)).toBe(15);
    await tidy();
    expect(await requests(records)).toBe(15);
  });

  test('counts each once wherever it is cut off', async () => {
    for (let lifetime = 0; ; lifetime += 1) {
      const { store, records, tidy } = world();
      for (let hour = 0; hour < 4; hour += 1) await records.add(report(`a-${hour}`, hour, 10 ** hour));
      store.lifetime = lifetime;
      const crashed = await tidy().then(
        () => false,
        () => true,
      );
      expect(await requests(records)).toBe(1111);
      store.lifetime = Number.POSITIVE_INFINITY;
      // What comes between, and the next process.
      await records.add(report('a-0', 0, 2, { revision: 2, replaces: 1 }));
      await tidy();
      expect(await requests(records)).toBe(1112);
      expect(store.objects.size).toBe(1);
      if (!crashed) break;
    }
  });

  test('by two processes at the same time counts each once', async () => {
    const { records, tidy } = world();
    for (let hour = 0; hour < 4; hour += 1) await records.add(report(`a-${hour}`, hour, 10 ** hour));
    await Promise.all([tidy(), tidy(NOW + 1), records.add(report('a-9', 9, 5))]);
    expect(await requests(records)).toBe(1116);
    await tidy();
    expect(await requests(records)).toBe(1116);
  });

  test('leaves what it cannot read', async () => {
    const { store, records, tidy } = world();
    await records.add(report('a-1', 1, 1));
    await records.add(report('a-2', 2, 1));
    await store.put('usage/team/2026-11-25/00.broken.0000000001', Buffer.from('no'));
    await tidy();
    expect([...store.objects.keys()]).toHaveLength(2);
    expect(await requests(records)).toBe(2);
  });
});

test('an answer is whole while a merge goes on beside it', async () => {
  const { store, records, tidy } = world();
  for (let hour = 0; hour < 24; hour += 1) await records.add(report(`a-${hour}`, hour, 1));
  // The first object that is read goes away with all others before it is.
  const get = store.get.bind(store);
  let merged: Promise<Tidied> | undefined;
  store.get = async (...parameters) => {
    if (merged === undefined) {
      store.get = get;
      merged = tidy();
      await merged;
    }
    return await get(...parameters);
  };
  expect(await requests(records)).toBe(24);
  expect(store.objects.size).toBe(1);
});

test('more of one day than may be held at one time is not read', async () => {
  const { store, records } = world();
  await records.add(report('a-1', 1, 1));
  await records.add(report('a-2', 25, 1));
  const [bytes = 0] = [...store.objects.values()].map(({ content }) => content.length);
  const range = { fromMs: DAY, toMs: DAY + 2 * DAY_MS };
  expect(await partsOf(records, { ...range, mostBytes: bytes })).toHaveLength(2);
  await expect(partsOf(records, { ...range, mostBytes: bytes - 1 })).rejects.toThrow(TooMuchUsage);
});

test('what is replaced all the time is read all the same', async () => {
  const gateways = 20;
  let reads = 0;
  /** Ten objects that are read cost the time in which one of the gateways, in turn, tells more. */
  class BusyStore extends MemoryStore {
    isBusy = false;

    override async get(...parameters: Parameters<MemoryStore['get']>): ReturnType<MemoryStore['get']> {
      const found = await super.get(...parameters);
      reads += 1;
      if (this.isBusy && reads % 10 === 0) {
        const part = `g-${(reads / 10) % gateways}`;
        const [old = ''] = [...this.objects.keys()].filter((key) => key.includes(`.${part}.`));
        const replaces = Number(old.split('.').at(-1));
        await records.add(report(part, 25, 1, { revision: replaces + 1, replaces }));
      }
      return found;
    }
  }
  const store = new BusyStore();
  const records = new UsageRecords(store, { error: () => undefined });
  for (let number = 0; number < gateways; number += 1) await records.add(report(`g-${number}`, 25, 1));
  for (let number = 0; number < 200; number += 1) await records.add(report(`ended-${number}`, 25, 1));
  store.isBusy = true;
  expect(await requests(records)).toBe(gateways + 200);
});

test('what is older than 400 days goes, and nothing younger', async () => {
  const { store, records, tidy } = world();
  await records.add(report('a-1', 1, 1));
  await records.add(report('a-2', 2, 1));
  await tidy();
  expect(await tidy(DAY + DAY_MS + KEPT_MS - 1)).toEqual({ merged: 0, removed: 0 });
  expect(await tidy(DAY + DAY_MS + KEPT_MS)).toEqual({ merged: 0, removed: 1 });
  expect(store.objects.size).toBe(0);
});
