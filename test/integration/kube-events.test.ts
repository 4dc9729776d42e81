/** Events on a real API server: once for each fact, across restarts, within bounds. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import type { KubeClient } from '../../src/kube/client.ts';
import { EventRecorder, events } from '../../src/kube/events.ts';
import type { EventRecorderOptions, KubeEvent } from '../../src/kube/events.ts';
import { KubeMetrics } from '../../src/kube/metrics.ts';
import type { KubeObject } from '../../src/kube/types.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { MemoryLogger, clientOf, configMap, configMaps, createNamespace, sharedKubeconfig } from '../support/kube.ts';

let direct: KubeClient;
let proxy: FaultProxy;
let client: KubeClient;
let namespace: string;
let regarding: KubeObject;
let metrics: KubeMetrics;

beforeAll(() => {
  direct = clientOf(sharedKubeconfig());
});

afterAll(async () => {
  await direct.close();
});

beforeEach(async () => {
  namespace = await createNamespace(direct, 'events');
  proxy = await startFaultProxy({ upstream: sharedKubeconfig() });
  client = clientOf(proxy.kubeconfig);
  regarding = await direct.create(configMaps, configMap(namespace, 'subject'));
  metrics = new KubeMetrics({ registry: new Registry() });
});

afterEach(async () => {
  await client.close();
  await proxy.stop();
});

function recorder(options: Partial<EventRecorderOptions> = {}): EventRecorder {
  return new EventRecorder({
    client,
    reportingController: 'example.com/tests',
    reportingInstance: 'tests-0',
    logger: new MemoryLogger(),
    metrics,
    ...options,
  });
}

async function stored(): Promise<KubeEvent[]> {
  return (await direct.list(events, { namespace })).items;
}

const FACT = { type: 'Warning', reason: 'TokenMissing', message: 'the Secret hf-token has no key token' } as const;

test('an event says what, about what and by whom', async () => {
  const recording = recorder();
  recording.record(regarding, { ...FACT, action: 'Resolve' });
  await recording.stop();
  const [event] = await stored();
  expect(event).toMatchObject({
    type: 'Warning',
    reason: 'TokenMissing',
    action: 'Resolve',
    note: FACT.message,
    regarding: { kind: 'ConfigMap', namespace, name: 'subject', uid: regarding.metadata.uid },
    reportingController: 'example.com/tests',
  });
});

test('the same fact is one Event, whose series is written once at the end', async () => {
  const recording = recorder();
  for (let count = 0; count < 50; count += 1) recording.record(regarding, FACT);
  await recording.stop();
  expect((await stored()).map((event) => event.series?.count)).toEqual([50]);
  expect(proxy.counts()).toEqual({ 'create events.events.k8s.io': 1, 'patch events.events.k8s.io': 1 });
});

test('a process that starts again makes no second Event', async () => {
  for (let process = 0; process < 3; process += 1) {
    const recording = recorder();
    recording.record(regarding, FACT);
    await recording.stop();
  }
  expect(await stored()).toHaveLength(1);
  expect((await metrics.eventsDropped.get()).values[0]?.value).toBe(0);
});

test('events about one object are bounded, and what is dropped is counted', async () => {
  const recording = recorder({ perObject: 3 });
  for (let count = 0; count < 8; count += 1) recording.record(regarding, { ...FACT, message: `message ${count}` });
  await recording.stop();
  expect(await stored()).toHaveLength(3);
  expect((await metrics.eventsDropped.get()).values[0]?.value).toBe(5);
});

test('a long message is cut where the server would refuse it', async () => {
  const recording = recorder();
  recording.record(regarding, { ...FACT, message: '🚀'.repeat(1000) });
  await recording.stop();
  expect((await stored()).map((event) => event.note)).toEqual(['🚀'.repeat(256)]);
});

test('what the server refuses is counted and never thrown', async () => {
  proxy.rule({ match: { verb: 'create' }, action: { type: 'error', status: 403, reason: 'Forbidden' } });
  const recording = recorder();
  recording.record(regarding, FACT);
  await recording.stop();
  expect((await metrics.eventsDropped.get()).values[0]?.value).toBe(1);
});
