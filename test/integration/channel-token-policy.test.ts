/** Which tokens of its own account a process may have, on a real API server: those of the load channel, and no other. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KubeConfig } from '@kubernetes/client-node';
import { execFileSync } from 'node:child_process';
import { KubeClient } from '../../src/kube/client.ts';
import type { TokenRequestSpec } from '../../src/kube/client-options.ts';
import { eventually } from '../support/eventually.ts';
import { createAccounts, createGatewayPod, removePod } from '../support/process-pods.ts';
import { clientOf, sharedKubeconfig } from '../support/kube.ts';
import { REPOSITORY } from '../support/operator-process.ts';
import { installApi } from '../support/product.ts';
import { INSTALL } from '../support/resources.ts';

const ACCOUNT = { namespace: INSTALL.namespace, name: 'infer-gateway' };
const AUDIENCE = 'load-channel.infer.dev/hash';
const POLICY = `${REPOSITORY}/manifests/base/channel-token-policy.yaml`;

let admin: KubeClient;
/** A gateway, by the token that its pod has. */
let gateway: KubeClient;
let pods: { apiVersion: string; kind: string; name: string; uid: string }[];

function kubectl(...args: string[]): void {
  const program = process.env['INFER_TEST_KUBECTL'] ?? '';
  execFileSync(program, ['--kubeconfig', sharedKubeconfig(), ...args], { stdio: 'pipe' });
}

beforeAll(async () => {
  admin = clientOf(sharedKubeconfig());
  await installApi(admin, sharedKubeconfig(), process.env['INFER_TEST_KUBECTL'] ?? '');
  await createAccounts(admin);
  kubectl('apply', '-f', POLICY);
  pods = await Promise.all(
    ['policy-1', 'policy-2'].map(async (name) => {
      const { INFER_POD_UID: uid = '' } = await createGatewayPod(admin, name, '127.0.1.9');
      return { apiVersion: 'v1', kind: 'Pod', name, uid };
    }),
  );
  const { token } = await admin.requestToken(ACCOUNT, request({ audiences: [] }));
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(sharedKubeconfig());
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no cluster');
  kubeConfig.loadFromClusterAndUser(cluster, { name: 'gateway', token });
  gateway = KubeClient.fromKubeConfig(kubeConfig);
  // A policy holds a moment after it was made.
  await eventually(async () => {
    await expect(gateway.requestToken(ACCOUNT, request({ audiences: ['other'] }))).rejects.toThrow(/load channel only/);
  }, 30_000);
}, 120_000);

afterAll(async () => {
  kubectl('delete', '-f', POLICY);
  for (const { name } of pods) await removePod(admin, name);
  await gateway.close();
  await admin.close();
});

/** What a gateway asks for, with what differs. */
function request(more: Partial<TokenRequestSpec> = {}): TokenRequestSpec {
  return { ...boundTo(0), ...more };
}

function boundTo(index: number): TokenRequestSpec {
  const boundObjectRef = pods[index];
  return { audiences: [AUDIENCE], expirationSeconds: 3600, ...(boundObjectRef && { boundObjectRef }) };
}

test('a gateway has tokens for the load channel, bound to its pod', async () => {
  const { token } = await gateway.requestToken(ACCOUNT, request());
  expect(token).not.toBe('');
});

describe('refused is one', () => {
  test.each([
    ['for the API server', () => request({ audiences: ['https://kubernetes.default.svc'] }), /load channel only/],
    ['for the API server, too', () => request({ audiences: [AUDIENCE, 'other'] }), /load channel only/],
    ['for whoever is asked by default', () => request({ audiences: [] }), /load channel only/],
    ['for a year', () => request({ expirationSeconds: 31_536_000 }), /an hour at most/],
    ['bound to another pod', () => boundTo(1), /bound to the pod that asks/],
    ['bound to nothing', () => ({ audiences: [AUDIENCE], expirationSeconds: 3600 }), /bound to the pod that asks/],
  ])('%s', async (_, make, message) => {
    await expect(gateway.requestToken(ACCOUNT, make())).rejects.toThrow(message);
  });
});
