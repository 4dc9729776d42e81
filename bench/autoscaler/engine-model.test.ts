import { describe, expect, test } from '@jest/globals';
import { batchMs, measuredEngine, measuredTablePath, readMeasuredTable, rowsWithin } from './engine-model.ts';
import { Replica } from './replica.ts';

describe('the engine of the measured tables', () => {
  test('decodes on two A100 in about 8.5 ms and prefills about 21,000 tokens per second', () => {
    const { baseMs, perContextTokenMs, perPromptTokenMs, batchedTokens } = measuredEngine(2);
    expect(baseMs).toBeCloseTo(8.4, 1);
    expect(perContextTokenMs * 1000).toBeCloseTo(0.14, 2);
    // Of a prompt that fills steps: each costs the base too.
    const tokensPerSecond = (batchedTokens / (baseMs + batchedTokens * perPromptTokenMs)) * 1000;
    expect(tokensPerSecond / 21_000).toBeCloseTo(1, 1);
  });

  // The error that a bench's report states.
  test.each([
    [2, 0.037],
    [4, 0.057],
  ] as const)('on %i GPUs is within %d of every measured total', (gpus, error) => {
    const engine = measuredEngine(gpus);
    const rows = rowsWithin(readMeasuredTable(measuredTablePath(gpus)));
    expect(rows.length).toBeGreaterThan(80);
    for (const { batch, promptTokens, outputTokens, totalMs } of rows) {
      expect(Math.abs(batchMs(engine, batch, promptTokens, outputTokens) / totalMs - 1)).toBeLessThan(error);
    }
  });

  test.each([2, 4] as const)('makes a simulated replica on %i GPUs take what was measured', (gpus) => {
    const engine = measuredEngine(gpus);
    for (const row of rowsWithin(readMeasuredTable(measuredTablePath(gpus)))) {
      const { batch, promptTokens, outputTokens, totalMs } = row;
      const endedAtMs = new Float64Array(batch).fill(NaN);
      const replica = new Replica(
        1,
        engine,
        {
          promptTokens: new Int32Array(batch).fill(promptTokens),
          outputTokens: new Int32Array(batch).fill(outputTokens),
          firstTokenAtMs: new Float64Array(batch),
          endedAtMs,
        },
        0,
        () => undefined,
      );
      for (let request = 0; request < batch; request++) replica.give(request, 0);
      while (replica.nextMs < Infinity) replica.run();
      expect(Math.abs(Math.max(...endedAtMs) / totalMs - 1)).toBeLessThan(0.07);
    }
  });
});
