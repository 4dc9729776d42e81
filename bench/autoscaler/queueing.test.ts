/** The simulation against what queueing theory knows exactly. */
import { describe, expect, test } from '@jest/globals';
import { nextArrival, seededRandom } from '../../test/load/random.ts';
import type { EngineModel } from './engine-model.ts';
import { simulatePlan } from './simulation.ts';

const REQUESTS = 60_000;
/** Of a mean request. */
const SERVICE_MS = 1_000;

/** Seats that do not slow one another: a step is a millisecond whoever is there. */
function servers(seats: number): EngineModel {
  return {
    baseMs: 1,
    perContextTokenMs: 0,
    perPromptTokenMs: 0,
    gpus: 1,
    batchedTokens: 1_000_000,
    seats,
    kvCacheTokens: Infinity,
  };
}

/** Returns the mean time from arrival to end, in units of the mean service. */
function simulatedTime(seats: number, utilisation: number, service: (random: () => number) => number): number {
  const random = seededRandom(7);
  const requests = [];
  const perMs = (utilisation * seats) / SERVICE_MS;
  for (let atMs = 0; requests.length < REQUESTS; atMs += nextArrival(perMs, random)) {
    const outputTokens = Math.max(1, Math.round(SERVICE_MS * service(random)));
    requests.push({ arrivalMs: atMs, promptTokens: 1, outputTokens });
  }
  const endMs = (requests.at(-1)?.arrivalMs ?? 0) + 1;
  const { arrivalsMs, journal } = simulatePlan(
    {
      workload: { name: 'queue', requests, warmUpMs: 0, endMs, minReplicas: 1 },
      targets: { targetRps: 1, targetLatencyMs: 1, minReplicas: 1, maxReplicas: 1, initialReplicas: 1 },
      engine: servers(seats),
      coldStartMs: 0,
    },
    'one replica',
    [[0, 1]],
  );
  let sum = 0;
  for (const [request, arrivalMs] of arrivalsMs.entries()) {
    sum += (journal.endedAtMs[request] ?? 0) - arrivalMs;
  }
  return sum / REQUESTS / SERVICE_MS;
}

/** Erlang C over the spare service rate: the mean wait in M/M/c, in units of the mean service. */
function waitMMc(seats: number, utilisation: number): number {
  const offered = seats * utilisation;
  let term = 1;
  let sum = 0;
  for (let busy = 0; busy < seats; busy++) {
    sum += term;
    term *= offered / (busy + 1);
  }
  const allBusy = term / (1 - utilisation);
  return allBusy / (sum + allBusy) / (seats * (1 - utilisation));
}

/**
 * The mean wait in M/D/c, in units of the service: whoever is served now is gone a service later and nobody who begins
 * meanwhile is, so the number present follows N' = max(0, N - c) + Poisson(c · utilisation), solved by iteration.
 */
function waitMDc(seats: number, utilisation: number): number {
  const offered = seats * utilisation;
  const most = 300;
  const poisson = [Math.exp(-offered)];
  for (let count = 1; count < most; count++) poisson.push(((poisson.at(-1) ?? 0) * offered) / count);
  let present = new Float64Array(most);
  present[0] = 1;
  for (let round = 0; round < 400; round++) {
    const next = new Float64Array(most);
    for (const [before, probability] of present.entries()) {
      const left = Math.max(0, before - seats);
      if (probability < 1e-15) continue;
      for (let now = left; now < most; now++) next[now] = (next[now] ?? 0) + probability * (poisson[now - left] ?? 0);
    }
    present = next;
  }
  const mean = present.reduce((sum, probability, count) => sum + probability * count, 0);
  return mean / offered - 1;
}

describe('a replica whose requests do not slow one another', () => {
  test.each([
    [1, 0.6],
    [8, 0.85],
  ])('with %i seats lets requests of exponential length take as long as in M/M/c at %d', (seats, utilisation) => {
    const time = simulatedTime(seats, utilisation, (random) => nextArrival(1, random));
    expect(time / (1 + waitMMc(seats, utilisation))).toBeGreaterThan(0.97);
    expect(time / (1 + waitMMc(seats, utilisation))).toBeLessThan(1.03);
  });

  test.each([
    [1, 0.6],
    [8, 0.85],
  ])('with %i seats lets requests of equal length take as long as in M/D/c at %d', (seats, utilisation) => {
    const time = simulatedTime(seats, utilisation, () => 1);
    expect(time / (1 + waitMDc(seats, utilisation))).toBeGreaterThan(0.97);
    expect(time / (1 + waitMDc(seats, utilisation))).toBeLessThan(1.03);
  });

  test('the reference for M/D/c with one seat is that of Pollaczek and Khinchine', () => {
    expect(waitMDc(1, 0.6)).toBeCloseTo(0.6 / (2 * (1 - 0.6)), 4);
  });
});
