import { expect, test } from '@jest/globals';
import { cellTargets, viewOf } from './view.fixture.ts';
import { KpaDecider, kpaConcurrency, kpaRequests } from './kpa.ts';

const settings = { target: 10, utilisation: 0.7, stableWindowMs: 60_000 };

test('wants the total divided by the target at its utilisation', () => {
  expect(new KpaDecider(settings, 1, 0).decide(21, 7, 3, 0)).toBe(3);
  expect(new KpaDecider(settings, 1, 0).decide(22, 7, 3, 0)).toBe(4);
});

test('halves at most', () => {
  expect(new KpaDecider(settings, 0, 0).decide(1, 1, 8, 0)).toBe(4);
});

test('panics where the short window asks for twice what is ready, and goes down only a stable window later', () => {
  const decider = new KpaDecider(settings, 1, 0);
  expect(decider.decide(14, 35, 3, 0)).toBe(2);
  expect(decider.decide(14, 42, 3, 2_000)).toBe(6);
  expect(decider.decide(14, 14, 6, 4_000)).toBe(6);
  expect(decider.decide(14, 14, 6, 62_000)).toBe(6);
  expect(decider.decide(14, 14, 6, 64_000)).toBe(3);
});

test('begins in panic where more than one replica runs', () => {
  const decider = new KpaDecider(settings, 4, 0);
  expect(decider.decide(7, 7, 4, 2_000)).toBe(4);
  expect(decider.decide(7, 7, 4, 62_000)).toBe(2);
});

test('averages the concurrency of a minute and of six seconds', () => {
  const controller = kpaConcurrency('kpa', settings).create(cellTargets({ initialReplicas: 1 }));
  for (let tick = 0; tick < 30; tick++) controller.desired(viewOf({ current: 1, inFlight: 7 }), tick * 2_000);
  // Three samples of 16 panic; the mean of the minute is 7.9 then.
  expect(controller.desired(viewOf({ current: 1, inFlight: 16 }), 60_000)).toBe(2);
  controller.desired(viewOf({ current: 2, inFlight: 16 }), 62_000);
  expect(controller.desired(viewOf({ current: 1, inFlight: 16 }), 64_000)).toBe(3);
});

test('counts requests per second, and goes to zero after the grace', () => {
  const controller = kpaRequests('kpa', settings).create(cellTargets({ minReplicas: 0, initialReplicas: 1 }));
  expect(controller.desired(viewOf({ current: 1, arrivals: 12 }), 0)).toBe(1);
  let now = 2_000;
  while (controller.desired(viewOf({ current: 1 }), now) > 0) now += 2_000;
  // The requests have left the window after 60 s.
  expect(now).toBe(60_000 + 30_000);
});

test('is poked from zero between its ticks', () => {
  const controller = kpaConcurrency('kpa', settings).create(cellTargets({ minReplicas: 0, initialReplicas: 1 }));
  expect(controller.desired(viewOf({ current: 0, inFlight: 1 }), 700)).toBe(1);
});
