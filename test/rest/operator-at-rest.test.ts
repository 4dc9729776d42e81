/** A hundred deployments that nothing happens to: for five minutes the operator writes its Lease and nothing else. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { FaultProxy, RecordedRequest } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import type { FakeKubelet } from '../support/fake-kubelet.ts';
import { startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { INSTALL } from '../support/resources.ts';
import { createDeployment } from '../support/scenario.ts';

const DEPLOYMENTS = 100;
const REST_MS = 300_000;

let client: KubeClient;
let proxy: FaultProxy;
let operator: OperatorProcess;
let kubelet: FakeKubelet;
let namespace: string;

beforeAll(async () => {
  ({ client, kubelet, namespace, proxy } = await startOperatorBed('rest'));
  operator = startOperator();
}, 60_000);

afterAll(async () => {
  await stopOperatorBed(operator, { client, kubelet, proxy });
}, 30_000);

/** With a full list of every kind once a minute, so that several fall into the time at rest. */
function startOperator(): OperatorProcess {
  return OperatorProcess.start({ kubeconfig: proxy.kubeconfig, environment: { INFER_RELIST_SECONDS: '60' } });
}

async function allServe(): Promise<void> {
  const { items } = await client.list(inferenceDeployments, { namespace });
  const serving = items.filter(({ status }) => status?.conditions?.some(({ reason }) => reason === 'Serving'));
  expect(serving).toHaveLength(DEPLOYMENTS);
  const complete = items.filter(({ status }) => status?.conditions?.some(({ reason }) => reason === 'Complete'));
  expect(complete).toHaveLength(DEPLOYMENTS);
}

/**
 * The operator's writes since the last `reset` in the test's namespace, in Infer's own and of cluster-wide kinds. Those
 * of the Lease are not among them, nor requests for a token, which change no object.
 */
function writes(): RecordedRequest[] {
  return proxy
    .writes()
    .filter((write) => [namespace, INSTALL.namespace, ''].includes(write.namespace))
    .filter(({ resource, subresource }) => resource !== 'leases.coordination.k8s.io' && subresource !== 'token');
}

function described(): string[] {
  return writes().map(({ verb, resource, subresource, name }) => `${verb} ${resource}/${subresource} ${name}`);
}

/** Waits until no write has come for three seconds. */
async function settled(): Promise<void> {
  await eventually(async () => {
    await allServe();
    const last = writes().at(-1)?.atMs ?? 0;
    expect(performance.now() - last).toBeGreaterThan(3_000);
  }, 120_000);
}

test(
  'nothing but the Lease is written at rest, nor after a restart of the operator',
  async () => {
    for (let index = 0; index < DEPLOYMENTS; index += 1) await createDeployment(client, namespace, `rest-${index}`);
    await settled();

    proxy.reset();
    // The time itself is what is tested: everything periodic must have had its turn.
    await delay(REST_MS);
    expect(described()).toEqual([]);
    expect(proxy.counts({ resource: 'leases' })['update leases.coordination.k8s.io']).toBeGreaterThan(20);
    expect(proxy.requests({ verb: 'get', namespace })).toEqual([]);
    expect(proxy.counts({ verb: 'list', resource: 'pods' })['list pods']).toBeGreaterThanOrEqual(3);

    await operator.end('SIGTERM');
    proxy.reset();
    operator = startOperator();
    await operator.reconciling();
    // One pass over each key has happened once the queue's metric says so.
    await eventually(async () => {
      expect(await operator.passes()).toBeGreaterThanOrEqual(DEPLOYMENTS);
    }, 60_000);
    expect(described()).toEqual([]);
  },
  REST_MS + 300_000,
);
