import { expect, test } from '@jest/globals';
import { hardwareProfile } from '../../../test/support/resources.ts';
import { costSoFar, usedTime } from './usage.ts';

const now = new Date('2026-01-01T02:00:00Z');
const priced = hardwareProfile({
  accelerator: { resource: 'nvidia.com/gpu', count: 4, memoryGiB: 80 },
  price: { currency: 'EUR', perGpuHour: '2.5' },
}).spec;

test('what runs since the checkpoint counts until now, with its GPUs', () => {
  const usage = { replicaSeconds: 1000, gpuSeconds: 4000, asOf: '2026-01-01T01:00:00Z', replicasSince: 2 };
  const used = usedTime({ usage }, priced, now);
  expect(used).toEqual({ replicaSeconds: 1000 + 2 * 3600, gpuSeconds: 4000 + 2 * 3600 * 4 });
  expect(used && costSoFar(used, priced)).toBe('22.78 EUR');
});

test('a clock that is behind takes nothing away, and what is not told is not made up', () => {
  const usage = { replicaSeconds: 10, asOf: '2026-01-01T03:00:00Z', replicasSince: 1 };
  expect(usedTime({ usage }, priced, now)?.replicaSeconds).toBe(10);
  expect(usedTime({}, priced, now)).toBeUndefined();
  expect(costSoFar({ replicaSeconds: 10, gpuSeconds: 0 }, undefined)).toBeUndefined();
});
