import { expect, test } from '@jest/globals';
import { chatRequest, promptTokens } from '../../test/vllm-sim/requests.ts';
import type { SimulatedRequest } from '../autoscaler/types.ts';
import { promptOf, TEMPLATE_TOKENS } from './prompt.ts';
import { minutesOf } from './workload.ts';

const TRACE: SimulatedRequest[] = Array.from({ length: 100 }, (_, index) => ({
  arrivalMs: 100 * index,
  promptTokens: 40 * index,
  outputTokens: 10 * index + 1,
}));
const MINUTES = { warmUpMs: 1_000, durationMs: 2_000, copies: 1 };

test('the first minutes at their own times, with sizes that the engine takes', () => {
  const { requests, endMs } = minutesOf('trace', TRACE, MINUTES);
  expect(endMs).toBe(3_000);
  expect(requests.map(({ arrivalMs }) => arrivalMs)).toEqual(Array.from({ length: 30 }, (_, index) => 100 * index));
  expect(requests[2]).toEqual({ arrivalMs: 200, promptTokens: 80, outputTokens: 21 });
  expect(requests[0]?.promptTokens).toBe(TEMPLATE_TOKENS + 1);
  expect(requests.at(-1)).toMatchObject({ promptTokens: 1_160, outputTokens: 256 });
});

test('copies come beside it, in order', () => {
  const { requests } = minutesOf('trace', TRACE, { ...MINUTES, copies: 3 });
  expect(requests.length).toBeGreaterThan(30);
  const times = requests.map(({ arrivalMs }) => arrivalMs);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

test('a trace that is too short is refused', () => {
  expect(() => minutesOf('trace', TRACE, { ...MINUTES, durationMs: 20_000 })).toThrow(/lower DURATION/);
});

test.each([7, 8, 100, 2_048])('a prompt of %s tokens has so many, and a beginning of its own', (count) => {
  const tokensOf = (number: number): string[] => {
    const messages = [{ role: 'user', content: promptOf(number, count) }];
    return promptTokens(chatRequest({ messages }).prompts[0] ?? '');
  };
  expect(tokensOf(5)).toHaveLength(count);
  expect(tokensOf(36 ** 4 - 1)).toHaveLength(count);
  expect(tokensOf(5).slice(0, 7)).not.toEqual(tokensOf(6).slice(0, 7));
});
