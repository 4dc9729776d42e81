import { describe, expect, test } from '@jest/globals';
import { DEFAULT_BEHAVIOR, HpaLimiter } from './hpa-behavior.ts';
import { hpaInFlight, hpaRequests, recommendByPods, recommendByTotal } from './hpa.ts';
import { cellTargets, viewOf } from './view.fixture.ts';

describe('a metric of the pods', () => {
  test('multiplies the ready pods by the ratio, and rounds up', () => {
    expect(recommendByPods([6, 6], 0, 2, 4)).toBe(3);
    expect(recommendByPods([1, 1, 1], 0, 3, 4)).toBe(1);
  });

  test('changes nothing within a tenth of the target, either way', () => {
    expect(recommendByPods([4.4, 4.4], 0, 2, 4)).toBe(2);
    expect(recommendByPods([4.5, 4.5], 0, 2, 4)).toBe(3);
    expect(recommendByPods([3.6, 3.6, 3.6], 0, 3, 4)).toBe(3);
    expect(recommendByPods([3, 3], 0, 2, 4, { up: 0.1, down: 0.3 })).toBe(2);
  });

  test('counts pods without a value as idle on the way up: they damp it', () => {
    expect(recommendByPods([12, 12], 2, 4, 4)).toBe(6);
    expect(recommendByPods([8], 1, 2, 4)).toBe(2);
  });

  test('counts them as at the target on the way down', () => {
    expect(recommendByPods([1, 1, 1], 1, 4, 4)).toBe(2);
  });

  test('is not acted on where they turn its direction, or where no pod has a value', () => {
    expect(recommendByPods([6], 2, 3, 4)).toBe(3);
    expect(recommendByPods([], 2, 2, 4)).toBe(2);
  });
});

test('an external metric is divided by the target; the tolerance is on what each present replica has', () => {
  expect(recommendByTotal(21, 2, 10)).toBe(2);
  expect(recommendByTotal(23, 2, 10)).toBe(3);
  expect(recommendByTotal(0, 3, 10)).toBe(0);
});

describe('what is made of recommendations', () => {
  test('up at once, by as much again or by four, whichever is more', () => {
    const limiter = new HpaLimiter(DEFAULT_BEHAVIOR, 1, 100);
    expect(limiter.limit(50, 1, 0)).toBe(5);
    expect(limiter.limit(50, 5, 15_000)).toBe(10);
    expect(limiter.limit(50, 10, 30_000)).toBe(20);
  });

  test('counts what was added within the period against the limit', () => {
    const limiter = new HpaLimiter(DEFAULT_BEHAVIOR, 1, 100);
    expect(limiter.limit(50, 1, 0)).toBe(5);
    expect(limiter.limit(50, 5, 5_000)).toBe(5);
  });

  test('down only to the most that was recommended within five minutes', () => {
    const limiter = new HpaLimiter(DEFAULT_BEHAVIOR, 1, 100);
    expect(limiter.limit(8, 8, 0)).toBe(8);
    expect(limiter.limit(2, 8, 15_000)).toBe(8);
    expect(limiter.limit(5, 8, 150_000)).toBe(8);
    expect(limiter.limit(2, 8, 300_000)).toBe(5);
    expect(limiter.limit(2, 5, 450_000)).toBe(2);
  });

  test('a controller that starts holds the present count for the window', () => {
    const limiter = new HpaLimiter(DEFAULT_BEHAVIOR, 1, 100);
    expect(limiter.limit(1, 4, 0)).toBe(4);
    expect(limiter.limit(1, 4, 299_000)).toBe(4);
    expect(limiter.limit(1, 4, 300_000)).toBe(1);
  });

  test('stays within the bounds', () => {
    expect(new HpaLimiter(DEFAULT_BEHAVIOR, 1, 3).limit(50, 2, 0)).toBe(3);
    const limiter = new HpaLimiter({ ...DEFAULT_BEHAVIOR, downWindowMs: 0 }, 1, 3);
    expect(limiter.limit(0, 2, 0)).toBe(1);
  });
});

test('on requests, looks at the rate of a minute', () => {
  const controller = hpaRequests('HPA', { target: 10, downWindowMs: 300_000 }).create(cellTargets());
  const ask = (loop: number, arrivals: number): number =>
    controller.desired(viewOf({ current: 2, arrivals }), loop * 15_000);
  for (let loop = 0; loop < 4; loop++) expect(ask(loop, 300)).toBe(2);
  // 20/s for three loops and 60/s for one.
  expect(ask(4, 900)).toBe(3);
});

test('on requests in pods, damps what it adds while pods start, and keeps one where none is needed', () => {
  const controller = hpaInFlight('HPA', { target: 4, downWindowMs: 0 }).create(cellTargets({ minReplicas: 0 }));
  expect(controller.desired(viewOf({ current: 3, inFlight: 30 }), 0)).toBe(7);
  expect(controller.desired(viewOf({ current: 7, ready: 3, inFlight: 30 }), 15_000)).toBe(7);
  expect(controller.desired(viewOf({ current: 7, inFlight: 0 }), 30_000)).toBe(1);
});
