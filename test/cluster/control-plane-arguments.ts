/** The command lines of etcd, kube-apiserver, kube-controller-manager and kube-scheduler. Pure. */
import { dirname } from 'node:path';
import type { ControlPlaneKeys } from './pki.ts';

/** Where etcd and the API server listen and what addresses it hands out. */
export interface ControlPlaneAddresses {
  bindAddress: string;
  apiServerPort: number;
  etcdPort: number;
  etcdPeerPort: number;
  /** For example `10.96.0.0/16`; its first address is the Service `kubernetes`. */
  serviceRange: string;
}

/**
 * etcd of one member, which lets in only clients with a certificate of its own authority. `--unsafe-no-fsync` loses data when the machine loses power (not when etcd is
 * killed), which is right for a cluster made for tests and several times faster on a slow disk.
 */
export function etcdArguments(
  dataDirectory: string,
  addresses: ControlPlaneAddresses,
  keys: Pick<ControlPlaneKeys, 'etcd' | 'etcdAuthority'>,
): string[] {
  const client = `https://${addresses.bindAddress}:${addresses.etcdPort}`;
  const peer = `https://${addresses.bindAddress}:${addresses.etcdPeerPort}`;
  const { certificateFile, keyFile } = keys.etcd;
  const authority = keys.etcdAuthority.certificateFile;
  return [
    '--name=etcd',
    `--data-dir=${dataDirectory}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=etcd=${peer}`,
    '--client-cert-auth',
    `--trusted-ca-file=${authority}`,
    `--cert-file=${certificateFile}`,
    `--key-file=${keyFile}`,
    '--peer-client-cert-auth',
    `--peer-trusted-ca-file=${authority}`,
    `--peer-cert-file=${certificateFile}`,
    `--peer-key-file=${keyFile}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

/** kube-apiserver with RBAC and the default admission (Pod Security among it) plus NodeRestriction. */
export function apiServerArguments(addresses: ControlPlaneAddresses, keys: ControlPlaneKeys): string[] {
  return [
    `--bind-address=${addresses.bindAddress}`,
    `--advertise-address=${addresses.bindAddress}`,
    `--secure-port=${addresses.apiServerPort}`,
    `--etcd-servers=https://${addresses.bindAddress}:${addresses.etcdPort}`,
    `--etcd-cafile=${keys.etcdAuthority.certificateFile}`,
    `--etcd-certfile=${keys.etcd.certificateFile}`,
    `--etcd-keyfile=${keys.etcd.keyFile}`,
    `--tls-cert-file=${keys.apiServer.certificateFile}`,
    `--tls-private-key-file=${keys.apiServer.keyFile}`,
    `--client-ca-file=${keys.authority.certificateFile}`,
    `--kubelet-certificate-authority=${keys.authority.certificateFile}`,
    `--kubelet-client-certificate=${keys.apiServerToKubelet.certificateFile}`,
    `--kubelet-client-key=${keys.apiServerToKubelet.keyFile}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${keys.serviceAccount.publicFile}`,
    `--service-account-signing-key-file=${keys.serviceAccount.privateFile}`,
    `--service-cluster-ip-range=${addresses.serviceRange}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    '--profiling=false',
    // Endpoints of the Service `kubernetes` must not be loopback addresses; the API server would retry for ever.
    ...(addresses.bindAddress.startsWith('127.') ? ['--endpoint-reconciler-type=none'] : []),
  ];
}

/** kube-controller-manager; pod ranges come from each node's CNI configuration, so it allocates none. */
export function controllerManagerArguments(kubeconfig: string, keys: ControlPlaneKeys): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--service-account-private-key-file=${keys.serviceAccount.privateFile}`,
    `--root-ca-file=${keys.authority.certificateFile}`,
    // Its default is a folder in /usr, which it would make.
    `--flex-volume-plugin-dir=${dirname(kubeconfig)}/volume-plugins`,
    '--use-service-account-credentials=true',
    '--allocate-node-cidrs=false',
    '--leader-elect=false',
    '--secure-port=0',
    '--profiling=false',
  ];
}

/** kube-scheduler with its default profile. */
export function schedulerArguments(kubeconfig: string): string[] {
  return [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0', '--profiling=false'];
}
