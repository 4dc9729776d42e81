import { afterEach, describe, expect, test } from '@jest/globals';
import { runCli, type CliResult } from '../../../test/support/cli-run.ts';
import { answerJson, startHttpStub, type HttpStub } from '../../../test/support/http-stub.ts';
import { replicaTime } from './replica-time.ts';
import type { UsageRow } from './usage-rows.ts';

const NOW = new Date('2026-11-26T10:20:30Z');
const DAY = Date.parse('2026-11-25T00:00:00Z') / 1000;

let gateway: HttpStub;
afterEach(async () => await gateway.close());

function row(fields: Partial<UsageRow>): UsageRow {
  const sums = { requests: 10, failed_requests: 1, answered_requests: 8, prompt_tokens: 1_000, cached_tokens: 100 };
  const times = { completion_tokens: 50, ttft_ms_sum: 800, latency_ms_sum: 5_000 };
  return { start: DAY, deployment: 'llama', key: null, ...sums, ...times, ...fields };
}

async function usage(rows: readonly UsageRow[], ...args: string[]): Promise<CliResult> {
  gateway = await startHttpStub((_, response) => answerJson(response, { data: rows, complete_until: DAY + 86_400 }));
  const env = { INFER_BASE_URL: gateway.url, INFER_API_KEY: 'infer_key', KUBECONFIG: '/nonexistent/config' };
  return await runCli(['usage', ...args], { env, now: NOW });
}

/** What the gateway was asked. */
function asked(): Record<string, string> {
  return Object.fromEntries(new URL(gateway.requests[0]?.path ?? '', gateway.url).searchParams);
}

const TWO_DAYS = [
  row({ replica_seconds: 7_200, gpu_seconds: 14_400, cost: '3.20', currency: 'USD' }),
  row({ deployment: 'mistral', replica_seconds: 3_600, gpu_seconds: 3_600, cost: '1.055', currency: 'USD' }),
  row({ start: DAY + 86_400, replica_seconds: 1_800, gpu_seconds: 3_600, cost: '0.80', currency: 'USD' }),
];

test('usage is told apart by deployment, with the sum below and until when it is complete', async () => {
  const { code, stdout, stderr } = await usage(TWO_DAYS);
  expect(stdout).toBe(
    [
      'DEPLOYMENT   REQUESTS   FAILED   PROMPT   CACHED   COMPLETION   REPLICA-H   GPU-H       COST',
      'llama              20        2    2,000      200          100         2.5     5.0   4.00 USD',
      'mistral            10        1    1,000      100           50         1.0     1.0   1.05 USD',
      'total              30        3    3,000      300          150         3.5     6.0   5.05 USD',
      '',
    ].join('\n'),
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'Complete until 2026-11-26T00:00:00Z; times are in UTC.\n' });
  expect(asked()).toEqual({
    start: String(Date.parse('2026-10-27T10:00:00Z') / 1000),
    end: String(NOW.getTime() / 1000),
    bucket: 'day',
    group_by: 'deployment',
  });
});

test('by day and key, or by hour', async () => {
  const rows = [row({ key: 'web' }), row({ key: 'jobs' }), row({ key: 'web', deployment: 'mistral' })];
  const { stdout } = await usage(rows, '--by', 'day,key', '--since', '2026-11-25', '-o', 'wide');
  expect(stdout.split('\n').slice(0, 4)).toEqual([
    'DAY          KEY    REQUESTS   FAILED   PROMPT   CACHED   COMPLETION   TTFT(MS)   LATENCY(MS)',
    '2026-11-25   web          20        2    2,000      200          100        100           500',
    '2026-11-25   jobs         10        1    1,000      100           50        100           500',
    'total                     30        3    3,000      300          150        100           500',
  ]);
  expect(asked()).toMatchObject({ start: String(DAY), group_by: 'deployment,key' });
  await gateway.close();
  const hourly = await usage([row({ start: DAY + 7_200 })], '--by', 'hour', '--since', '12h');
  expect(hourly.stdout).toMatch(/^HOUR[^\n]*\n2026-11-25 02:00Z +10 /);
  expect(asked()).toMatchObject({ bucket: 'hour' });
});

test('as CSV and JSON, with plain numbers', async () => {
  const { stdout } = await usage(TWO_DAYS.slice(0, 1), '--csv', '--by', 'day,deployment');
  expect(stdout).toBe(
    'start,deployment,requests,failed_requests,prompt_tokens,cached_tokens,completion_tokens,ttft_ms_mean,' +
      'latency_ms_mean,replica_seconds,gpu_seconds,cost,currency\n' +
      '2026-11-25T00:00:00Z,llama,10,1,1000,100,50,100,500,7200,14400,3.200000,USD\n',
  );
  await gateway.close();
  const { stdout: json } = await usage(TWO_DAYS, '-o', 'json');
  expect(JSON.parse(json)).toMatchObject({
    rows: [{ deployment: 'llama', requests: 20, replica_seconds: 9_000, cost: '4.000000' }, { deployment: 'mistral' }],
    total: { requests: 30, cost: '5.055000', currency: 'USD' },
    complete_until: '2026-11-26T00:00:00Z',
  });
});

test('amounts of several currencies stand beside each other', async () => {
  const rows = [row({ cost: '1', currency: 'USD' }), row({ cost: '2', currency: 'EUR' })];
  expect((await usage(rows)).stdout).toMatch(/\nllama .* 1\.00 USD \+ 2\.00 EUR\n/);
  await gateway.close();
  const costs = { USD: '1.000000', EUR: '2.000000' };
  expect(JSON.parse((await usage(rows, '-o', 'json')).stdout)).toMatchObject({
    rows: [{ requests: 20, costs }],
    total: { requests: 20, costs },
  });
  await gateway.close();
  expect((await usage(rows, '--csv')).stdout.split('\n').slice(1)).toEqual([
    'llama,20,2,2000,200,100,100,500,,,1.000000,USD',
    'llama,0,0,0,0,0,,,,,2.000000,EUR',
    '',
  ]);
});

test('a time or a grouping that is none is refused before anything is asked', async () => {
  for (const args of [
    ['--since', '2030-01-01'],
    ['--since', 'x'],
    ['--by', 'month'],
  ]) {
    expect(await usage([], ...args)).toMatchObject({ code: 2, stdout: '' });
    expect(gateway.requests).toEqual([]);
    await gateway.close();
  }
  gateway = await startHttpStub(() => undefined);
});

test('where nobody keeps usage, that is said', async () => {
  gateway = await startHttpStub((_, response) =>
    answerJson(response, { error: { message: 'Usage is not kept.', code: 'usage_not_kept' } }, 503),
  );
  const env = { INFER_BASE_URL: gateway.url, INFER_API_KEY: 'infer_key', KUBECONFIG: '/nonexistent/config' };
  expect(await runCli(['usage'], { env })).toMatchObject({
    code: 0,
    stdout: '',
    stderr: expect.stringMatching(/not kept/),
  });
});

/** Answers after `refusals`; returns how often it was asked. */
async function busy(refusals: number, headers: Record<string, string>): Promise<CliResult & { asked: number }> {
  gateway = await startHttpStub((_, response) => {
    if (gateway.requests.length > refusals) answerJson(response, { data: [row({})], complete_until: DAY });
    else answerJson(response, { error: { message: 'Too many. Try again.', code: 'busy' } }, 429, headers);
  });
  const env = { INFER_BASE_URL: gateway.url, INFER_API_KEY: 'infer_key', KUBECONFIG: '/nonexistent/config' };
  const result = await runCli(['usage', '--csv'], { env });
  return { ...result, asked: gateway.requests.length };
}

describe('a gateway that is busy', () => {
  test('is asked again when it says', async () => {
    const { code, asked: times, stderr } = await busy(2, { 'retry-after': '0' });
    expect({ code, times }).toEqual({ code: 0, times: 3 });
    expect(stderr).toMatch(/^Too many\. Try again\. infer does so in 0 s; Ctrl-C ends it\.\n/);
  });

  test('is asked four times at most', async () => {
    expect(await busy(9, { 'retry-after': '0' })).toMatchObject({ code: 1, asked: 4 });
  });

  test.each([{}, { 'retry-after': '600' }, { 'retry-after': '0', 'x-should-retry': 'false' }])(
    'is not asked again with %j',
    async (headers) => {
      expect(await busy(1, headers as Record<string, string>)).toMatchObject({ code: 1, asked: 1 });
    },
  );
});

test('the time of replicas is the checkpoint and what those of then have run since', () => {
  const deployment = {
    metadata: { name: 'llama' },
    spec: { model: { id: 'org/llama' } },
    status: {
      usage: {
        replicaSeconds: 100,
        gpuSeconds: 400,
        asOf: '2026-11-26T10:20:00Z',
        replicasSince: 2,
        running: [
          { uid: 'a', gpus: 4 },
          { uid: 'b', gpus: 4 },
        ],
      },
      cost: { perGpuHour: '36', currency: 'USD' },
    },
  };
  expect(replicaTime(deployment, NOW)).toEqual([
    { deployment: 'llama', replica_seconds: 160, gpu_seconds: 640, cost: '6.40 USD' },
  ]);
  expect(replicaTime({ ...deployment, status: {} }, NOW)).toEqual([]);
});
