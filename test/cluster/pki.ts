/** The certificates, keys and kubeconfigs of one control plane, in one folder. */
import { join } from 'node:path';
import { ensureCertificate, ensureServiceAccountKey } from './certificates.ts';
import type { KeyPair } from './certificates.ts';

/** Every file that the control plane's programs are given. */
export interface ControlPlaneKeys {
  authority: KeyPair;
  apiServer: KeyPair;
  /** With it the API server calls kubelets. */
  apiServerToKubelet: KeyPair;
  /** cluster-admin through the group system:masters. */
  admin: KeyPair;
  controllerManager: KeyPair;
  scheduler: KeyPair;
  serviceAccount: { privateFile: string; publicFile: string };
  /** An authority of its own: who may talk to the API server must not thereby be let into etcd. */
  etcdAuthority: KeyPair;
  etcd: KeyPair;
}

/** Makes what is missing in `directory` and returns the paths. `addresses` are the IP addresses of etcd and the API server. */
export async function ensureControlPlaneKeys(directory: string, addresses: string[]): Promise<ControlPlaneKeys> {
  const path = (name: string): string => join(directory, name);
  const [authority, etcdAuthority, serviceAccount] = await Promise.all([
    ensureCertificate(path('ca'), { commonName: 'infer-test-ca' }),
    ensureCertificate(path('etcd-ca'), { commonName: 'infer-test-etcd-ca' }),
    ensureServiceAccountKey(path('service-account')),
  ]);
  const [apiServer, apiServerToKubelet, admin, controllerManager, scheduler, etcd] = await Promise.all([
    ensureCertificate(path('kube-apiserver'), {
      commonName: 'kube-apiserver',
      issuer: authority,
      alternativeNames: [
        ...addresses.map((address) => `IP:${address}`),
        ...['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'].map(
          (name) => `DNS:${name}`,
        ),
      ],
    }),
    ensureCertificate(path('apiserver-kubelet-client'), {
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      issuer: authority,
    }),
    ensureCertificate(path('admin'), { commonName: 'admin', organizations: ['system:masters'], issuer: authority }),
    ensureCertificate(path('kube-controller-manager'), {
      commonName: 'system:kube-controller-manager',
      issuer: authority,
    }),
    ensureCertificate(path('kube-scheduler'), { commonName: 'system:kube-scheduler', issuer: authority }),
    ensureCertificate(path('etcd'), {
      commonName: 'etcd',
      alternativeNames: addresses.map((address) => `IP:${address}`),
      issuer: etcdAuthority,
    }),
  ]);
  return {
    authority,
    apiServer,
    apiServerToKubelet,
    admin,
    controllerManager,
    scheduler,
    serviceAccount,
    etcdAuthority,
    etcd,
  };
}
