import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Metrics } from '../../../test/vllm-sim/metrics.ts';
import { MetricsScan, type EngineMetrics } from './metrics-scan.ts';

function scan(text: string, cuts: readonly number[] = []): EngineMetrics | undefined {
  const bytes = Buffer.from(text);
  const reading = new MetricsScan();
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  let start = 0;
  for (const end of ends) {
    reading.push(bytes.subarray(start, end));
    start = end;
  }
  return reading.end();
}

/** As vLLM 0.32 writes it: the simulator is held to its text by a test of its own. */
function exposition(): string {
  const metrics = new Metrics({
    modelName: 'tiny',
    maxModelLen: 2_048,
    kvBlocks: 1_000,
    blockTokens: 16,
    gpuMemoryUtilization: 0.92,
    prefixCaching: true,
    startedAt: 1_795_361_432.25,
  });
  const token = { previousAt: undefined };
  const first = { waitedMs: 1, promptTokens: 32, cachedTokens: 0 };
  metrics.step({ tokens: [token, token, token], first: [first], finished: [], scheduledTokens: 35 } as never, 1_000);
  return metrics.expose({
    running: 7,
    waiting: 2,
    kvCacheUsage: 0.125,
    preemptions: 0,
    prefixQueries: 0,
    prefixHits: 0,
  });
}

const expected: EngineMetrics = {
  running: 7,
  waiting: 2,
  deferred: 0,
  kvCacheUsage: 0.125,
  promptTokens: 32,
  generatedTokens: 3,
};

/** The least that is a reading. */
function series(engine: number, more: Record<string, string> = {}): Record<string, string> {
  const labels = `{engine="${engine}",model_name="tiny"}`;
  return {
    [`vllm:num_requests_running${labels}`]: '3.0',
    [`vllm:num_requests_waiting${labels}`]: '5.0',
    [`vllm:kv_cache_usage_perc${labels}`]: '0.5',
    [`vllm:prompt_tokens_total${labels}`]: '1000.0',
    [`vllm:generation_tokens_total${labels}`]: '1.795361432e+09',
    ...more,
  };
}

function textOf(...all: Record<string, string>[]): string {
  return all.flatMap((one) => Object.entries(one).map(([name, value]) => `${name} ${value}\n`)).join('');
}

test("a reading of vLLM's text has the families that count, however it comes in pieces", () => {
  const text = exposition();
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 20 }), (cuts) => {
      expect(scan(text, cuts)).toEqual(expected);
    }),
  );
});

test('engines of one replica are added up; their caches are one', () => {
  const other = series(1, { 'vllm:kv_cache_usage_perc{engine="1",model_name="tiny"}': '1.0' });
  expect(scan(textOf(series(0), other))).toEqual({
    running: 6,
    waiting: 10,
    deferred: 0,
    kvCacheUsage: 0.75,
    promptTokens: 2_000,
    generatedTokens: 2 * 1_795_361_432,
  });
});

test('where vLLM says why requests wait, those that wait for room count', () => {
  const reasons = {
    'vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"}': '4.0',
    'vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="deferred"}': '1.0',
  };
  expect(scan(textOf(series(0), reasons))).toMatchObject({ waiting: 4, deferred: 1 });
});

test('names of models may hold what else ends a label, and lines may end like those of Windows', () => {
  const text = textOf(series(0)).replaceAll('"tiny"', String.raw`"a} 9 {b\"c,d"`);
  expect(scan(text)).toEqual(scan(textOf(series(0))));
  expect(scan(text.replaceAll('\n', '\r\n'))).toEqual(scan(textOf(series(0))));
  expect(scan(text.replaceAll('\n', ' 1795361432000\n'))).toEqual(scan(textOf(series(0))));
});

test('a long line of another family is skipped', () => {
  const adapters = `vllm:lora_requests_info{running_lora_adapters="${'a,'.repeat(10_000)}"} 1.0\n`;
  expect(scan(adapters + textOf(series(0)), [5_000, 9_000, 20_020])).toEqual(scan(textOf(series(0))));
});

describe('nothing is believed of a text', () => {
  const running = 'vllm:num_requests_running{engine="0",model_name="tiny"}';
  const prompt = 'vllm:prompt_tokens_total{engine="0",model_name="tiny"}';
  test.each([
    ['that is empty', ''],
    ['of another server', '<html></html>\n'],
    ['that ends within a line', textOf(series(0)).slice(0, -2)],
    ['that is no number', textOf(series(0, { [running]: 'NaN' }))],
    ['that has less than none', textOf(series(0, { [running]: '-1.0' }))],
    ['that has half a request', textOf(series(0, { [running]: '0.5' }))],
    ['that has infinitely many', textOf(series(0, { [running]: '+Inf' }))],
    ['that has more than any engine', textOf(series(0, { [running]: '1e12' }))],
    ['that has more than numbers can tell', textOf(series(0, { [prompt]: '1e300' }))],
    [
      'that has more than a whole cache',
      textOf(series(0, { 'vllm:kv_cache_usage_perc{engine="0",model_name="tiny"}': '1.01' })),
    ],
    ['that lacks a number', textOf(series(0, { [running]: '' }))],
    ['that has more engines than any', textOf(series(0)).repeat(201)],
    ['that has a line without end', `vllm:num_requests_running{x="${'y'.repeat(5_000)}"} 1.0\n${textOf(series(0))}`],
    ...Object.keys(series(0)).map((family): [string, string] => {
      const { [family]: _left, ...others } = series(0);
      return [`without ${family}`, textOf(others)];
    }),
  ])('%s', (_, text) => {
    expect(scan(text)).toBeUndefined();
  });
});
