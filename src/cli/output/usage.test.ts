import { expect, test } from '@jest/globals';
import { usedTime } from './usage.ts';

const now = new Date('2026-01-01T02:00:00Z');
const cost = { currency: 'EUR', perHour: '20.00', perGpuHour: '2.5' };

test('what runs since the checkpoint counts until now, each replica with its own GPUs', () => {
  const running = [
    { uid: 'a', gpus: 4 },
    { uid: 'b', gpus: 2 },
  ];
  const usage = { replicaSeconds: 1000, gpuSeconds: 4000, asOf: '2026-01-01T01:00:00Z', replicasSince: 2, running };
  expect(usedTime({ usage, cost }, now)).toEqual({
    replicaSeconds: 1000 + 2 * 3600,
    gpuSeconds: 4000 + 6 * 3600,
    cost: '17.78 EUR',
  });
});

test('a replica without accelerators is priced as one', () => {
  const usage = { replicaSeconds: 0, asOf: '2026-01-01T01:00:00Z', running: [{ uid: 'a', gpus: 0 }] };
  expect(usedTime({ usage, cost }, now)).toEqual({ replicaSeconds: 3600, gpuSeconds: 0, cost: '2.50 EUR' });
});

test('a clock that is behind takes nothing away, and what is not told is not made up', () => {
  const usage = { replicaSeconds: 10, asOf: '2026-01-01T03:00:00Z', running: [{ uid: 'a', gpus: 1 }] };
  expect(usedTime({ usage }, now)).toEqual({ replicaSeconds: 10, gpuSeconds: 0 });
  expect(usedTime({}, now)).toBeUndefined();
});
