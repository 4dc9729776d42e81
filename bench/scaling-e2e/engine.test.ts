import { expect, test } from '@jest/globals';
import { seededRandom, nextArrival } from '../../test/load/random.ts';
import { parseArguments } from '../../test/vllm-sim/arguments.ts';
import { Engine, type FinishedSequence } from '../../test/vllm-sim/engine.ts';
import { environmentInConfig, readSettings } from '../../test/vllm-sim/settings.ts';
import { simulatePlan } from '../autoscaler/simulation.ts';
import type { SimulatedRequest } from '../autoscaler/types.ts';
import { ENGINE_ARGUMENTS, ENGINE_MODEL } from './engine.ts';

const COUNT = 300;
/** With a prompt as long as the budget in it. */
const LONGEST_STEP_MS = 150;

function arrivals(rps: number): SimulatedRequest[] {
  const random = seededRandom(7);
  let arrivalMs = 0;
  return Array.from({ length: COUNT }, () => {
    arrivalMs += 1_000 * nextArrival(rps, random);
    return {
      arrivalMs,
      promptTokens: 20 + Math.floor(2_000 * random()),
      outputTokens: 20 + Math.floor(230 * random()),
    };
  });
}

/** The engine as its arguments make it, in its own time. */
function finishedBy(requests: readonly SimulatedRequest[]): FinishedSequence[] {
  const args = parseArguments(['serve', 'model', ...ENGINE_ARGUMENTS]);
  const settings = readSettings(environmentInConfig(args.additionalConfig));
  const { maxNumBatchedTokens, maxNumSeqs, prefixCaching } = args;
  const { kvBlocks, prefillTokensPerSecond, stepBaseMs, stepPerContextTokenMs } = settings;
  const prefillTokensPerMs = prefillTokensPerSecond / 1_000;
  const batch = { maxNumBatchedTokens, maxNumSeqs, prefixCaching, kvBlocks };
  const engine = new Engine({ ...batch, stepBaseMs, stepPerContextTokenMs, prefillTokensPerMs });
  const finished: FinishedSequence[] = [];
  let next = 0;
  const submitUntil = (untilMs: number): void => {
    for (let request = requests[next]; request && request.arrivalMs <= untilMs; request = requests[++next]) {
      const id = String(next);
      const promptTokens = Array.from({ length: request.promptTokens }, (_, index) => `${id}-${index}`);
      const answer = { answerToken: String, answerLength: request.outputTokens, finishReason: 'length' as const };
      engine.submit({ id, promptTokens, ...answer }, request.arrivalMs);
    }
  };
  let nowMs = 0;
  while (finished.length < requests.length) {
    submitUntil(nowMs);
    const stepMs = engine.startStep(nowMs);
    if (stepMs === undefined) {
      nowMs = requests[next]?.arrivalMs ?? Infinity;
      continue;
    }
    nowMs += stepMs;
    submitUntil(nowMs);
    finished.push(...engine.finishStep(nowMs).finished);
  }
  return finished;
}

test.each([0.3, 1, 2])('at %s requests/s the model takes as long as the engine', (rps) => {
  const requests = arrivals(rps);
  const workload = {
    name: 'test',
    requests,
    warmUpMs: 0,
    endMs: (requests.at(-1)?.arrivalMs ?? 0) + 1,
    minReplicas: 1,
  };
  const targets = { targetRps: rps, targetLatencyMs: 1, minReplicas: 1, maxReplicas: 1, initialReplicas: 1 };
  const cell = { workload, targets, engine: ENGINE_MODEL, coldStartMs: 0 };
  const { journal } = simulatePlan(cell, 'one replica', [[0, 1]]);
  const tookMs = { engine: [] as number[], model: [] as number[] };
  for (const { id, arrivedAt, finishedAt, firstTokenAt = NaN } of finishedBy(requests)) {
    const { endedAtMs, firstTokenAtMs } = journal;
    tookMs.engine.push(finishedAt - arrivedAt);
    tookMs.model.push((endedAtMs[Number(id)] ?? NaN) - arrivedAt);
    expect(Math.abs(firstTokenAt - (firstTokenAtMs[Number(id)] ?? NaN))).toBeLessThan(LONGEST_STEP_MS);
  }
  expect(mean(tookMs.engine) / mean(tookMs.model)).toBeCloseTo(1, 2);
  expect(p95(tookMs.engine) / p95(tookMs.model)).toBeCloseTo(1, 2);
});

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function p95(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(0.95 * values.length) - 1] ?? NaN;
}
