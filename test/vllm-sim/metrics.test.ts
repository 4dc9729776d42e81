import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { FinishedSequence } from './engine.ts';
import { familyShapes, type FamilyShape } from './exposition.ts';
import { oneTwoFive } from './metric-families.ts';
import { Metrics } from './metrics.ts';

// Distilled from the /metrics of vLLM 0.32.0 with a model of 2,048 tokens of context.
const contract = JSON.parse(readFileSync(join(import.meta.dirname, 'metrics-contract.json'), 'utf8')) as Record<
  string,
  FamilyShape
>;

const idle = {
  running: 0,
  waiting: 0,
  kvCacheUsage: 0,
  preemptions: 0,
  prefixQueries: 0,
  prefixHits: 0,
};

function metrics(): Metrics {
  return new Metrics({
    modelName: 'tiny',
    maxModelLen: 2048,
    kvBlocks: 1000,
    blockTokens: 16,
    gpuMemoryUtilization: 0.92,
    prefixCaching: true,
    startedAt: 1_795_361_432.25,
  });
}

const finished: FinishedSequence = {
  id: 'a',
  reason: 'length',
  promptTokens: 32,
  cachedTokens: 16,
  generatedTokens: 3,
  preemptions: 0,
  arrivedAt: 1_000,
  scheduledAt: 1_500,
  firstTokenAt: 1_600,
  lastTokenAt: 1_700,
  finishedAt: 1_700,
};

function used(): Metrics {
  const subject = metrics();
  subject.accepted(1, 3);
  subject.step(
    {
      tokens: [{ id: 'a', index: 0, previousAt: undefined }],
      first: [{ waitedMs: 600, promptTokens: 32, cachedTokens: 16 }],
      finished: [],
      prefillTokens: 16,
      scheduledTokens: 16,
    },
    1_600,
  );
  subject.step(
    {
      tokens: [{ id: 'a', index: 2, previousAt: 1_660 }],
      first: [],
      finished: [finished],
      prefillTokens: 0,
      scheduledTokens: 1,
    },
    1_700,
  );
  subject.rejected('max_num_queued_reqs');
  return subject;
}

describe('/metrics', () => {
  test.each([
    ['before any request', metrics()],
    ['after requests', used()],
  ])('has every family of vLLM with its type, help, labels and buckets, and no other, %s', (_, subject) => {
    expect(familyShapes(subject.expose(idle))).toEqual(contract);
  });

  test('names the families in the order of vLLM', () => {
    expect(Object.keys(familyShapes(metrics().expose(idle)))).toEqual(Object.keys(contract));
  });

  test('shows what requests did', () => {
    const lines = used()
      .expose({ ...idle, running: 2, waiting: 1, kvCacheUsage: 0.25 })
      .split('\n');
    const base = 'engine="0",model_name="tiny"';
    expect(lines).toEqual(
      expect.arrayContaining([
        `vllm:num_requests_running{${base}} 2.0`,
        `vllm:num_requests_waiting_by_reason{${base},reason="capacity"} 1.0`,
        `vllm:kv_cache_usage_perc{${base}} 0.25`,
        `vllm:request_success_total{engine="0",finished_reason="length",model_name="tiny"} 1.0`,
        `vllm:prompt_tokens_total{${base}} 32.0`,
        `vllm:prompt_tokens_by_source_total{${base},source="local_cache_hit"} 16.0`,
        `vllm:generation_tokens_total{${base}} 2.0`,
        `vllm:time_to_first_token_seconds_sum{${base}} 0.6`,
        `vllm:inter_token_latency_seconds_sum{${base}} 0.04`,
        `vllm:request_queue_time_seconds_sum{${base}} 0.5`,
        `vllm:request_prefill_time_seconds_sum{${base}} 0.1`,
        `vllm:request_decode_time_seconds_sum{${base}} 0.1`,
        `vllm:e2e_request_latency_seconds_sum{${base}} 0.7`,
        `vllm:admission_rejections_total{model_name="tiny",reason="max_num_queued_reqs"} 1.0`,
        `vllm:request_success_created{engine="0",finished_reason="stop",model_name="tiny"} 1795361432.25`,
      ]),
    );
  });

  test('counts an observation in its bucket and all above it', () => {
    const buckets = used()
      .expose(idle)
      .split('\n')
      .filter((line) => line.startsWith('vllm:request_prompt_tokens_bucket'))
      .map((line) => /le="([^"]+)".* (\S+)$/.exec(line)?.slice(1));
    expect(buckets).toContainEqual(['20.0', '0.0']);
    expect(buckets).toContainEqual(['50.0', '1.0']);
    expect(buckets).toContainEqual(['+Inf', '1.0']);
  });

  test('token buckets end at the context length', () => {
    expect(oneTwoFive(8)).toEqual([1, 2, 5]);
    expect(oneTwoFive(2048).at(-1)).toBe(2000);
  });
});
