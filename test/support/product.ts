/** The product on a bare control plane: CRDs, Infer's namespace, the processes' rights and a profile. */
import { execFileSync } from 'node:child_process';
import { hardwareProfiles } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isAlreadyExists } from '../../src/kube/errors.ts';
import { eventually } from './eventually.ts';
import { namespaces } from './kube.ts';
import { CRD_DIRECTORY, REPOSITORY } from './operator-process.ts';
import { hardwareProfile, INSTALL } from './resources.ts';

/** The processes' ServiceAccounts, for the fault proxy to impersonate: tests then run with the shipped rights. */
export const OPERATOR_ACCOUNT = serviceAccount('infer-operator');
export const GATEWAY_ACCOUNT = serviceAccount('infer-gateway');
export const BATCH_ACCOUNT = serviceAccount('infer-batch');

const RIGHTS = [
  'manifests/overlays/cluster/operator-role.yaml',
  'manifests/overlays/cluster/gateway-role.yaml',
  'manifests/overlays/cluster/batch-role.yaml',
  'manifests/base/operator-own-namespace.yaml',
  'manifests/base/gateway-own-namespace.yaml',
  'manifests/base/batch-own-namespace.yaml',
];

function serviceAccount(name: string): { user: string; groups: string[] } {
  return {
    user: `system:serviceaccount:${INSTALL.namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${INSTALL.namespace}`, 'system:authenticated'],
  };
}

/** Installs what the processes need on the control plane of `kubeconfig`; safe to repeat. */
export async function installApi(client: KubeClient, kubeconfig: string, kubectl: string): Promise<void> {
  const apply = (path: string): void => {
    const where = ['--kubeconfig', kubeconfig];
    execFileSync(kubectl, [...where, 'apply', '--server-side', '--force-conflicts', '-f', path], { stdio: 'pipe' });
  };
  apply(CRD_DIRECTORY);
  await client.create(namespaces, { metadata: { name: INSTALL.namespace } }).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
  for (const file of RIGHTS) apply(`${REPOSITORY}/${file}`);
  // A CRD's kind is served a moment after it was created.
  await eventually(async () => {
    await client.apply(hardwareProfiles, hardwareProfile(), { fieldManager: 'test', force: true });
  });
}
