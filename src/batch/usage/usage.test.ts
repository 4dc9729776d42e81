/** Usage over HTTP: what gateways tell, and what keys ask. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { NAMESPACE, startBatchApi, type RunningBatchApi } from '../../../test/support/batch-api.ts';
import { eventually } from '../../../test/support/eventually.ts';
import type { UsageReport } from '../../channel/usage-report.ts';
import type { ReplicaTimeRow } from '../replica-time/rows.ts';
import { StoreUnavailable, type ObjectStore } from '../../store/object-store.ts';

const DAY = 86_400;
const NOW = Date.UTC(2026, 10, 26, 5, 30) / 1000;
const HOUR = NOW - (NOW % 3600);

let api: RunningBatchApi;
/** Of the last that was told. */
let answer: string;
let failPut: 'before' | 'after' | undefined;
let replicaTime: ReplicaTimeRow[];

beforeEach(async () => {
  failPut = undefined;
  replicaTime = [];
  api = await startBatchApi({
    clock: { now: NOW * 1000 },
    wrapStore: failing,
    replicaTime: { rows: async () => replicaTime },
  });
});

afterEach(() => api.close());

/** A store whose writes break where they are told to. */
function failing(store: ObjectStore): ObjectStore {
  return {
    put: async (...parameters) => {
      if (failPut === 'before') throw new StoreUnavailable('away');
      const bytes = await store.put(...parameters);
      if (failPut === 'after') throw new StoreUnavailable('away');
      return bytes;
    },
    get: (...parameters) => store.get(...parameters),
    head: (key) => store.head(key),
    list: (...parameters) => store.list(...parameters),
    delete: (key) => store.delete(key),
  };
}

function report(more: Partial<UsageReport> = {}, row: Partial<UsageReport['rows'][number]> = {}): UsageReport {
  return {
    namespace: NAMESPACE,
    hour: HOUR,
    part: 'gateway-1',
    revision: 1,
    replaces: null,
    ...more,
    rows: [
      {
        key: 'web',
        namespace: NAMESPACE,
        deployment: 'chat',
        requests: 1,
        failedRequests: 0,
        answeredRequests: 1,
        promptTokens: 10,
        cachedTokens: 4,
        completionTokens: 5,
        firstTokenMs: 20,
        latencyMs: 100,
        ...row,
      },
    ],
  };
}

/** Tells as a gateway does, which is nobody's tenant; returns the status. */
async function tell(body: unknown): Promise<number> {
  const response = await fetch(`${api.url}/internal/usage`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  answer = await response.text();
  return response.status;
}

async function ask(
  query = '',
  namespace = NAMESPACE,
  headers: Record<string, string> = {},
): Promise<{ data: Record<string, unknown>[] }> {
  const response = await api.call(`/v1/usage${query}`, { headers }, namespace);
  expect(response.status).toBe(200);
  return (await response.json()) as { data: Record<string, unknown>[] };
}

const requests = async (query = ''): Promise<number> =>
  (await ask(query)).data.reduce((sum, row) => sum + Number(row['requests']), 0);

describe('what is told', () => {
  test('is answered as rows of the day', async () => {
    expect(await tell(report())).toBe(204);
    expect(await ask()).toEqual({
      object: 'list',
      data: [
        {
          start: NOW - (NOW % DAY),
          deployment: 'chat',
          key: 'web',
          requests: 1,
          failed_requests: 0,
          answered_requests: 1,
          prompt_tokens: 10,
          cached_tokens: 4,
          completion_tokens: 5,
          ttft_ms_sum: 20,
          latency_ms_sum: 100,
        },
      ],
      complete_until: NOW - 60,
    });
    expect((await ask('', 'team-b')).data).toEqual([]);
  });

  test('counts once however often it is told, and the newest revision is what counts', async () => {
    for (let times = 0; times < 2; times += 1) expect(await tell(report())).toBe(204);
    expect(await tell(report({ revision: 10, replaces: 1 }, { requests: 7 }))).toBe(204);
    // Late, by another way.
    expect(await tell(report({ revision: 9 }, { requests: 6 }))).toBe(204);
    expect(await requests()).toBe(7);
  });

  test('of several gateways and hours is added up', async () => {
    await tell(report());
    await tell(report({ part: 'gateway-2' }, { requests: 2 }));
    await tell(report({ part: 'gateway-3', hour: HOUR - 3600 }, { requests: 3 }));
    expect(await requests()).toBe(6);
    const byHour = await ask('?bucket=hour&group_by=key');
    expect(byHour.data).toMatchObject([
      { start: HOUR - 3600, requests: 3, deployment: null, key: 'web' },
      { start: HOUR, requests: 3 },
    ]);
  });

  test('a deployment of another namespace is named with it', async () => {
    await tell(report({}, { namespace: 'shared' }));
    await tell(report({ part: 'gateway-2' }));
    const { data } = await ask('?group_by=deployment');
    expect(data.map(({ deployment, key }) => [deployment, key])).toEqual([
      ['chat', null],
      ['shared/chat', null],
    ]);
  });

  test('stands beside the time and cost of the replicas in rows that are of deployments alone', async () => {
    await tell(report());
    const start = NOW - (NOW % DAY);
    const time = { start, replicaSeconds: 3600.4, gpuSeconds: 7200.8, cost: { USD: 3.675 } };
    replicaTime = [
      { ...time, deployment: 'chat' },
      { ...time, deployment: 'idle', cost: {} },
    ];
    const { data } = await ask('?group_by=deployment', NAMESPACE, { 'x-infer-admin': 'true' });
    expect(data).toMatchObject([
      {
        start,
        deployment: 'chat',
        requests: 1,
        replica_seconds: 3600,
        gpu_seconds: 7201,
        cost: '3.675000',
        currency: 'USD',
      },
      { start, deployment: 'idle', key: null, requests: 0, replica_seconds: 3600 },
    ]);
    expect(data[1]).not.toHaveProperty('cost');
    for (const query of ['', '?group_by=key']) expect((await ask(query)).data[0]).not.toHaveProperty('replica_seconds');
  });

  test('tells a key that is no admin nothing of cost', async () => {
    const start = NOW - (NOW % DAY);
    replicaTime = [{ start, deployment: 'chat', replicaSeconds: 60, gpuSeconds: 120, cost: { USD: 1, EUR: 2 } }];
    const { data } = await ask('?group_by=deployment');
    expect(data).toMatchObject([{ deployment: 'chat', replica_seconds: 60, gpu_seconds: 120 }]);
    expect(data[0]).not.toHaveProperty('cost');
    expect(data[0]).not.toHaveProperty('currency');
  });

  test('tells a key that is restricted its own usage, and nothing of what replicas do for others', async () => {
    await tell(report());
    await tell(report({ part: 'gateway-2' }, { key: 'other', deployment: 'secret', requests: 5 }));
    replicaTime = [{ start: HOUR, deployment: 'secret', replicaSeconds: 60, gpuSeconds: 120, cost: {} }];
    for (const query of ['', '?group_by=deployment', '?group_by=key']) {
      const { data } = await ask(query, NAMESPACE, { 'x-infer-own-usage': 'true' });
      expect(data).toMatchObject([{ requests: 1 }]);
      expect(data[0]).not.toHaveProperty('replica_seconds');
    }
  });

  test('is told to one key of a namespace at a time, and to two of all', async () => {
    const given = Promise.withResolvers<ReplicaTimeRow[]>();
    let asking = 0;
    await api.close();
    api = await startBatchApi({
      limits: { usageWaitMs: 10 },
      replicaTime: {
        rows: async () => {
          asking += 1;
          return await given.promise;
        },
      },
    });
    const path = '/v1/usage?group_by=deployment';
    const held = [api.call(path, {}, 'team-a'), api.call(path, {}, 'team-b')];
    await eventually(() => expect(asking).toBe(2));
    expect((await api.call(path, {}, 'team-a')).status).toBe(429);
    expect((await api.call(path, {}, 'team-c')).status).toBe(503);
    expect((await api.call('/v1/files')).status).toBe(200);
    given.resolve([]);
    for (const response of await Promise.all(held)) expect(response.status).toBe(200);
  });

  test.each(['before', 'after'] as const)('is told again where the store breaks %s it has it', async (when) => {
    failPut = when;
    expect(await tell(report())).toBe(503);
    failPut = undefined;
    expect(await tell(report({ revision: 2 }, { requests: 2 }))).toBe(204);
    expect(await requests()).toBe(2);
  });

  test.each([
    ['nothing', {}],
    ['another hour', { ...report(), hour: HOUR + 1 }],
    ['a namespace that is none', report({ namespace: '../x' })],
    ['a part that is none', report({ part: 'a/b' })],
    ['a negative count', report({}, { requests: -1 })],
    ['no rows', { ...report(), rows: [] }],
    ['too many rows', { ...report(), rows: Array.from({ length: 257 }, () => report().rows[0]) }],
  ])('is refused where it is %s', async (_, body) => {
    expect(await tell(body)).toBe(400);
    expect(JSON.parse(answer)).toMatchObject({ error: { code: 'invalid_usage_report' } });
    expect(await requests()).toBe(0);
  });
});

describe('a question', () => {
  test('is of the hours from its start to before its end', async () => {
    await tell(report());
    expect(await requests(`?start=${HOUR}&end=${HOUR + 1}`)).toBe(1);
    // The hour that `start` is in belongs to it.
    expect(await requests(`?start=${HOUR + 1800}&end=${HOUR + 3600}`)).toBe(1);
    expect(await requests(`?start=${HOUR - 7200}&end=${HOUR}`)).toBe(0);
    expect(await requests(`?start=${HOUR + 3600}&end=${HOUR + 7200}`)).toBe(0);
    expect(await requests(`?start=${NOW - 400 * DAY}&end=${NOW}`)).toBe(1);
  });

  test('of many days is answered though they have more bytes than are held at a time', async () => {
    const [row] = report().rows;
    const rows = Array.from({ length: 256 }, (_, at) => ({ ...row, key: `key-${at}-${'x'.repeat(180)}` }));
    for (let day = 0; day < 5; day += 1) {
      for (let part = 0; part < 40; part += 1) {
        expect(await tell({ ...report({ part: `${day}-${part}`, hour: HOUR - day * DAY }), rows })).toBe(204);
      }
    }
    const { data } = await ask();
    expect(data).toHaveLength(5 * 256);
    expect(data[0]).toMatchObject({ requests: 40 });
  });

  test.each([
    ['start=5&end=5', 'start'],
    [`start=${NOW - 401 * DAY}&end=${NOW}`, 'start'],
    [`start=${NOW - 32 * DAY}&end=${NOW}&bucket=hour`, 'start'],
    ['start=yesterday', 'start'],
    ['end=-1', 'end'],
    ['bucket=week', 'bucket'],
    ['group_by=key,model', 'group_by'],
    ['start=1&start=2', 'start'],
  ])('%s is refused with the name of the parameter', async (query, param) => {
    const response = await api.call(`/v1/usage?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param } });
  });
});
