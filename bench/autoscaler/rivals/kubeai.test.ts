import { expect, test } from '@jest/globals';
import { KUBEAI_DEFAULTS, kubeAi } from './kubeai.ts';
import { cellTargets, viewOf } from './view.fixture.ts';

const policy = kubeAi('KubeAI', KUBEAI_DEFAULTS);

test('a step of load counts a tenth after a minute, since the average begins with zeros', () => {
  const controller = policy.create(cellTargets());
  let now = 0;
  const ask = (): number => {
    const wanted = controller.desired(viewOf({ current: 1, inFlight: 1_000 }), now);
    now += 10_000;
    return wanted;
  };
  expect(Array.from({ length: 7 }, ask)).toEqual([1, 1, 1, 1, 1, 1, 2]);
  for (let tick = 7; tick < 59; tick++) ask();
  expect(ask()).toBe(10);
});

test('goes down at the fourth lower decision in a row', () => {
  const controller = policy.create(cellTargets());
  const wanted = [0, 1, 2, 3].map((tick) => controller.desired(viewOf({ current: 3 }), tick * 10_000));
  expect(wanted).toEqual([3, 3, 3, 1]);
});

test('decides every ten seconds, and wakes from zero at once', () => {
  const controller = policy.create(cellTargets({ minReplicas: 0 }));
  expect(controller.desired(viewOf({ current: 0 }), 0)).toBe(0);
  expect(controller.desired(viewOf({ current: 0, inFlight: 1 }), 1_300)).toBe(1);
  expect(controller.desired(viewOf({ current: 1, inFlight: 900_000 }), 9_000)).toBe(1);
  expect(controller.desired(viewOf({ current: 1, inFlight: 60_000 }), 10_000)).toBe(10);
});
