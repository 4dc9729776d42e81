import { describe, expect, test } from '@jest/globals';
import type { Workload } from '../types.ts';
import { replay, WARM_UP_MS } from './replay.ts';
import { wave, waveNames, type WaveName } from './waves.ts';

const SIZES = Array.from({ length: 100 }, (_, index) => ({
  promptTokens: 100 + 10 * index,
  outputTokens: 1 + 3 * index,
}));

function perMinute({ requests, warmUpMs }: Workload): number[] {
  const counts = Array.from({ length: 180 }, () => 0);
  for (const { arrivalMs } of requests) {
    const minute = Math.floor((arrivalMs - warmUpMs) / 60_000);
    if (minute >= 0) counts[minute] = (counts[minute] ?? 0) + 1;
  }
  return counts;
}

function minutesOf(name: WaveName): number[] {
  return perMinute(wave(name, { sizes: SIZES, meanRps: 1, seed: 3 }));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The mean of the answers in twenty minutes. */
function outputsAround(minute: number, { requests, warmUpMs }: Workload): number {
  const near = requests.filter(({ arrivalMs }) => Math.abs(arrivalMs - warmUpMs - minute * 60_000) < 600_000);
  return mean(near.map(({ outputTokens }) => outputTokens));
}

function isOrdered({ requests }: Workload): boolean {
  return requests.every(({ arrivalMs }, index) => arrivalMs >= (requests[index - 1]?.arrivalMs ?? 0));
}

describe('wave', () => {
  test.each(waveNames())('%s has the mean rate over three hours, in order, and the same for the same seed', (name) => {
    const options = { sizes: SIZES, meanRps: 1, seed: 1 };
    const workload = wave(name, options);
    expect(workload.endMs - workload.warmUpMs).toBe(3 * 3_600_000);
    expect(mean(perMinute(workload)) / 60).toBeCloseTo(1, 1);
    expect(isOrdered(workload)).toBe(true);
    expect(workload.requests.some(({ arrivalMs }) => arrivalMs < workload.warmUpMs)).toBe(true);
    expect(JSON.stringify(wave(name, options))).toBe(JSON.stringify(workload));
    expect(wave(name, { ...options, seed: 2 }).requests[0]).not.toEqual(workload.requests[0]);
  });

  test('day has a peak of several times the night', () => {
    const minutes = minutesOf('day').sort((a, b) => a - b);
    expect(mean(minutes.slice(-20)) / mean(minutes.slice(0, 20))).toBeGreaterThan(4);
  });

  test('ramp grows evenly', () => {
    const minutes = minutesOf('ramp');
    expect(mean(minutes.slice(160)) / mean(minutes.slice(80, 100))).toBeCloseTo(1.7, 0);
    expect(mean(minutes.slice(0, 20)) / mean(minutes.slice(80, 100))).toBeLessThan(0.4);
  });

  test('step and spike rise by 3.5 and 4 times at once', () => {
    const step = minutesOf('step');
    expect(mean(step.slice(75, 95)) / mean(step.slice(0, 45))).toBeCloseTo(3.5, 0);
    const spike = minutesOf('spike').sort((a, b) => a - b);
    expect((spike.at(-8) ?? 0) / (spike[90] ?? 0)).toBeGreaterThan(3);
  });

  test('on-off has long times without a request, and may go to zero', () => {
    const workload = wave('on-off', { sizes: SIZES, meanRps: 1, seed: 3 });
    expect(workload.minReplicas).toBe(0);
    expect(perMinute(workload).filter((count) => count === 0).length).toBeGreaterThan(45);
  });

  test('drift changes what requests are, not how many', () => {
    const workload = wave('drift', { sizes: SIZES, meanRps: 1, seed: 3 });
    const minutes = perMinute(workload);
    expect(mean(minutes.slice(80, 100)) / mean(minutes.slice(0, 20))).toBeCloseTo(1, 1);
    expect(outputsAround(90, workload) / outputsAround(0, workload)).toBeGreaterThan(1.6);
    expect(outputsAround(90, workload) / outputsAround(179, workload)).toBeGreaterThan(1.6);
  });

  test('shift has the same tokens in four times as many requests for an hour', () => {
    const workload = wave('shift', { sizes: SIZES, meanRps: 1, seed: 3 });
    const minutes = perMinute(workload);
    expect(mean(minutes.slice(60, 120)) / mean(minutes.slice(0, 60))).toBeCloseTo(4, 0);
    expect(mean(minutes.slice(60, 120)) / mean(minutes.slice(120))).toBeCloseTo(4, 0);
    expect(outputsAround(30, workload) / outputsAround(90, workload)).toBeCloseTo(4, 0);
    expect(outputsAround(150, workload) / outputsAround(90, workload)).toBeCloseTo(4, 0);
    expect(workload.requests.every(({ promptTokens, outputTokens }) => promptTokens > 0 && outputTokens > 0)).toBe(
      true,
    );
  });

  test('bursty varies far more than independent arrivals do', () => {
    const minutes = minutesOf('bursty');
    const variance = mean(minutes.map((count) => (count - mean(minutes)) ** 2));
    expect(variance / mean(minutes)).toBeGreaterThan(5);
  });
});

describe('replay', () => {
  const hour = Array.from({ length: 3_600 }, (_, second) => ({
    arrivalMs: second * 1_000,
    promptTokens: second + 1,
    outputTokens: 1,
  }));

  test('scores an hour as a whole, after its own beginning backwards', () => {
    const workload = replay('hour', hour, { copies: 1, seed: 1 });
    expect(workload.warmUpMs).toBe(WARM_UP_MS);
    expect(workload.endMs).toBe(WARM_UP_MS + 3_599_000 + 1);
    expect(workload.requests).toHaveLength(3_600 + 901);
    for (const { arrivalMs, promptTokens } of workload.requests) {
      const secondOfTrace = (arrivalMs - WARM_UP_MS) / 1_000;
      expect(Math.abs(Math.abs(secondOfTrace) - (promptTokens - 1))).toBeLessThanOrEqual(16);
    }
  });

  test('runs copies beside each other, each request moved on its own', () => {
    const workload = replay('hour', hour, { copies: 3, seed: 1 });
    expect(workload.requests).toHaveLength(3 * (3_600 + 901));
    expect(isOrdered(workload)).toBe(true);
    const times = workload.requests
      .filter(({ promptTokens }) => promptTokens === 2_000)
      .map(({ arrivalMs }) => arrivalMs);
    expect(new Set(times).size).toBe(3);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThan(30_000);
  });

  test('warms up with the first 15 minutes of a longer trace', () => {
    const long = Array.from({ length: 30_000 }, (_, second) => ({
      arrivalMs: second * 1_000,
      promptTokens: 1,
      outputTokens: 1,
    }));
    const workload = replay('long', long, { copies: 1, seed: 1 });
    expect(workload).toMatchObject({ warmUpMs: WARM_UP_MS, endMs: 29_999_001 });
    expect(workload.requests).toHaveLength(30_000);
  });
});
