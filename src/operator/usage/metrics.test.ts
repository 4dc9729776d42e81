import { expect, jest, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { inferenceDeployment, readyPod } from '../../../test/support/resources.ts';
import type { Caches } from '../caches.ts';
import { lifetimes } from './lifetimes.ts';
import { registerUsageMetrics } from './metrics.ts';

test('sums go on between checkpoints, and never back', async () => {
  jest.useFakeTimers({ now: Date.parse('2026-01-01T00:00:40Z') });
  try {
    let pods = [readyPod()];
    const resource = inferenceDeployment();
    resource.status = { cost: { currency: 'EUR', perHour: '1.50' } };
    const caches = {
      inferenceDeployments: { list: () => [resource], onChange: () => undefined },
      pods: { byIndex: () => pods },
    } as unknown as Caches;
    const registry = new Registry();
    registerUsageMetrics(registry, caches, { lives: (_, present) => lifetimes(present, []) });
    const value = async (name: string): Promise<string | undefined> =>
      new RegExp(`^${name}\\{[^}]*deployment="chat"[^}]*\\} (\\S+)$`, 'm').exec(await registry.metrics())?.[1];

    expect(await value('infer_deployment_replica_seconds_total')).toBe('40');
    expect(await value('infer_deployment_cost_per_hour')).toBe('1.5');
    jest.setSystemTime(Date.parse('2026-01-01T00:01:00Z'));
    expect(await value('infer_deployment_replica_seconds_total')).toBe('60');
    // It had ended ten seconds ago, and is told only now.
    const terminated = { exitCode: 1, finishedAt: '2026-01-01T00:00:50Z' };
    pods = [readyPod()].map((pod) => ({
      ...pod,
      status: {
        ...pod.status,
        phase: 'Failed',
        containerStatuses: [{ name: 'engine', ready: false, restartCount: 0, state: { terminated } }],
      },
    }));
    expect(await value('infer_deployment_replica_seconds_total')).toBe('60');
  } finally {
    jest.useRealTimers();
  }
});

test('a sum that is to take in a replica that went unseen is told once the leader did', async () => {
  const resource = inferenceDeployment();
  const usage = { replicaSeconds: 7, gpuSeconds: 0, asOf: '2026-01-01T00:00:00Z' };
  const caches = {
    inferenceDeployments: { list: () => [resource], onChange: () => undefined },
    pods: { byIndex: () => [] },
  } as unknown as Caches;
  const registry = new Registry();
  registerUsageMetrics(registry, caches, { lives: () => [] });
  const value = async (): Promise<string | undefined> =>
    /^infer_deployment_replica_seconds_total\{.*\} (\S+)$/m.exec(await registry.metrics())?.[1];
  resource.status = { usage: { ...usage, running: [{ uid: 'gone', gpus: 0 }] } };
  expect(await value()).toBeUndefined();
  resource.status = { usage: { ...usage, replicaSeconds: 900, asOf: '2026-01-01T00:14:53Z', running: [] } };
  expect(await value()).toBe('900');
});
