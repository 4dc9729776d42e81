import { describe, expect, test } from '@jest/globals';
import { cellTargets, viewOf } from './view.fixture.ts';
import { saturationStep, wva, WVA_DEFAULTS } from './wva.ts';

function step(...peaks: [kvCacheUsage: number, waiting: number][]): number {
  return saturationStep(
    peaks.map(([kvCacheUsage, waiting]) => ({ kvCacheUsage, waiting })),
    WVA_DEFAULTS,
  );
}

describe('the saturation rule', () => {
  test('adds one where the mean spare KV cache or queue falls below its trigger', () => {
    expect(step([0.71, 0], [0.71, 0])).toBe(1);
    expect(step([0.69, 0], [0.69, 0])).toBe(0);
    expect(step([0.1, 2.5], [0.1, 2.5])).toBe(1);
  });

  test('leaves saturated replicas out of the mean, and adds one where all are', () => {
    expect(step([0.95, 0], [0.5, 0], [0.5, 0])).toBe(0);
    expect(step([0.95, 0], [0.2, 9])).toBe(1);
  });

  test('removes one where the others would keep what they need to spare', () => {
    expect(step([0.34, 0], [0.34, 0])).toBe(-1);
    expect(step([0.36, 0], [0.36, 0])).toBe(0);
    expect(step([0.1, 1.2], [0.1, 1.2])).toBe(0);
    expect(step([0, 0])).toBe(0);
  });
});

describe('the loop', () => {
  test('takes each replica’s peak of a minute', () => {
    const controller = wva('WVA', WVA_DEFAULTS).create(cellTargets());
    const at = (now: number, kvCacheUsage: number): number =>
      controller.desired(viewOf({ current: 1, engines: [{ kvCacheUsage }] }), now);
    expect([at(15_000, 0.75), at(30_000, 0.1), at(45_000, 0.1), at(60_000, 0.1)]).toEqual([1, 1, 1, 2]);
    expect([at(75_000, 0.1), at(90_000, 0.1), at(105_000, 0.1), at(120_000, 0.1)]).toEqual([1, 1, 1, 1]);
  });

  test('decides nothing while a replica is starting', () => {
    const controller = wva('WVA', WVA_DEFAULTS).create(cellTargets());
    const engines = [{ kvCacheUsage: 0.9 }];
    expect(controller.desired(viewOf({ current: 2, ready: 1, engines }), 60_000)).toBe(2);
  });
});
