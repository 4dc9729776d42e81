import { afterEach, expect, test } from '@jest/globals';
import { deploymentReport, replicaReport } from '../../test/support/reports.ts';
import { MemoryLogger } from '../../test/support/kube.ts';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { Pod } from '../api/kubernetes.ts';
import type { ChannelEnd } from '../channel/handshake.ts';
import type { Caches } from './caches.ts';
import { Gateways } from './gateways.ts';

let gateways: Gateways;

afterEach(async () => {
  await gateways.stop();
});

/** Without an address, so that nothing is connected to. */
function gatewayPod(uid: string, ready: boolean, deletedAtMs?: number): Pod {
  const deletionTimestamp = deletedAtMs === undefined ? undefined : new Date(deletedAtMs).toISOString();
  return {
    metadata: { name: uid, uid, ...(deletionTimestamp && { deletionTimestamp }) },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

/** The leader heard of gateway `a`, which has let go of the replica `pod-1`, and of none of `others`. */
function hearing(...others: Pod[]): void {
  const pods = [gatewayPod('a', true), ...others];
  const caches = {
    gatewayPods: { list: () => pods },
    inferenceDeployments: { byIndex: () => [inferenceDeployment()] },
  } as unknown as Caches;
  gateways = new Gateways({
    caches,
    end: {} as ChannelEnd,
    port: 1,
    passes: { next: () => undefined, soon: () => undefined },
    onReport: () => undefined,
    logger: new MemoryLogger(),
    onFailure: () => undefined,
  });
  const replicas = [replicaReport('pod-1', { draining: true })];
  const report = {
    type: 'report',
    more: false,
    deployments: [deploymentReport('uid-chat', { replicas })],
  } as const;
  gateways.view.connected('a', 'one', performance.now());
  gateways.view.report('a', { ...report, deployments: [...report.deployments] }, () => true, performance.now());
}

function isKnown(): [boolean, boolean] {
  return [gateways.takeSample('uid-chat') !== undefined, gateways.workOf('uid-chat').isDrained('pod-1')];
}

test('a gateway that leaves is waited for', () => {
  hearing(gatewayPod('b', false, Date.now() + 60_000));
  expect(isKnown()).toEqual([false, false]);
});

test('the pod of a dead node, which nobody removes, is not', () => {
  hearing(gatewayPod('b', false, Date.now() - 60_000));
  expect(isKnown()).toEqual([true, true]);
});
