import { expect, test } from '@jest/globals';
import { withReplicaTime } from './join.ts';

function row(start: number, deployment: string | null) {
  return { start, deployment, requests: 0 };
}

test('rows of requests carry the time of their deployment, and there is one for each that ran without any', () => {
  const times = [
    { start: 0, deployment: 'chat', replicaSeconds: 3_600.4, gpuSeconds: 7_200, cost: { EUR: 3.0043211, USD: 0 } },
    { start: 0, deployment: 'idle', replicaSeconds: 60, gpuSeconds: 0, cost: {} },
    { start: 3_600, deployment: 'both', replicaSeconds: 60, gpuSeconds: 60, cost: { USD: 2, EUR: 1 } },
  ];
  expect(withReplicaTime([{ ...row(0, 'chat'), requests: 7 }, row(3_600, 'other')], times, row)).toEqual([
    {
      start: 0,
      deployment: 'chat',
      requests: 7,
      replica_seconds: 3_600,
      gpu_seconds: 7_200,
      cost: '3.004321',
      currency: 'EUR',
    },
    { start: 0, deployment: 'idle', requests: 0, replica_seconds: 60, gpu_seconds: 0 },
    {
      start: 3_600,
      deployment: 'both',
      requests: 0,
      replica_seconds: 60,
      gpu_seconds: 60,
      cost: '1.000000',
      currency: 'EUR',
    },
    { start: 3_600, deployment: 'both', requests: 0, cost: '2.000000', currency: 'USD' },
    { start: 3_600, deployment: 'other', requests: 0 },
  ]);
});
