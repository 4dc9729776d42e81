/** The configuration files of containerd, CNI, kubelet and kube-proxy. Pure. */
import { stringify } from 'yaml';
import type { LocalLayout, LocalNode } from './state.ts';

/** The name of the image of every pod's first process. */
export const PAUSE_IMAGE = 'localhost/pause:dev';

/** Where Debian's containernetworking-plugins are. */
export const CNI_PLUGINS = '/usr/lib/cni';

/** What a node sees as containerd's socket. */
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

/** containerd 1.6 or newer, as Debian has it. Paths outside the node's folder are its own by its mount namespace. */
export function containerdConfiguration(node: LocalNode): string {
  return `version = 2
root = ${JSON.stringify(`${node.directory}/containerd`)}
state = "/run/containerd"

[grpc]
address = ${JSON.stringify(CONTAINERD_SOCKET)}

[plugins."io.containerd.internal.v1.opt"]
path = ${JSON.stringify(`${node.directory}/containerd-opt`)}

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = ${JSON.stringify(PAUSE_IMAGE)}
netns_mounts_under_state_dir = true
# A virtual machine may lack CAP_SYS_RESOURCE: without this no pod starts there.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = ${JSON.stringify(CNI_PLUGINS)}
conf_dir = ${JSON.stringify(`${node.directory}/cni`)}
`;
}

/**
 * CNI: a veth pair and a route for each pod. With a bridge, an answer between two pods of one node would pass by
 * conntrack (unless br_netfilter is loaded) and Services on the same node would fail.
 */
export function cniConfiguration(node: LocalNode): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: node.name,
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: node.podRange }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

/** The keys of one kubelet. */
export interface KubeletKeys {
  authorityFile: string;
  certificateFile: string;
  keyFile: string;
}

/** KubeletConfiguration, https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/. */
export function kubeletConfiguration(layout: LocalLayout, node: LocalNode, keys: KubeletKeys): string {
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: node.address,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: keys.authorityFile },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: keys.certificateFile,
    tlsPrivateKeyFile: keys.keyFile,
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${node.cgroup}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    clusterDomain: 'cluster.local',
    clusterDNS: [layout.addresses.dns],
    // Nothing outside the cluster can be resolved or reached from a pod.
    resolvConf: '',
    volumePluginDir: `${node.directory}/volume-plugins`,
    // Images are loaded, not pulled: one that was collected as garbage would be gone.
    imageGCHighThresholdPercent: 100,
    // The disk is shared with the rest of the machine, which may well be fuller than a node's.
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    serializeImagePulls: false,
  });
}

/** kube-proxy's arguments. Traffic from the host to a Service is masqueraded, so that answers return by this node. */
export function kubeProxyArguments(layout: LocalLayout, node: LocalNode, kubeconfig: string): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--hostname-override=${node.name}`,
    '--proxy-mode=iptables',
    `--cluster-cidr=${layout.addresses.podRange}`,
    // The limit of connections belongs to the machine; a namespace may not set it.
    '--conntrack-max-per-core=0',
  ];
}
