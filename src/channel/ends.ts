/** What a process that runs in a pod brings to all of its connections with others. */
import { randomUUID } from 'node:crypto';
import type { KubeClient } from '../kube/client.ts';
import type { ChannelEnd } from './handshake.ts';
import { ChannelIdentity } from './identity.ts';
import { PeerVerifier } from './verifier.ts';

/** The pod and its ServiceAccount, as the downward API tells them. */
export interface OwnPod {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly name: string;
  readonly uid: string;
}

/** Returns how to make an end for peers with a ServiceAccount of the pod's namespace; all have the same key and token. */
export function channelEnds(client: KubeClient, pod: OwnPod): (peerAccount: string) => ChannelEnd {
  const { namespace, serviceAccount, name, uid } = pod;
  const identity = new ChannelIdentity({ client, account: { namespace, name: serviceAccount }, pod: { name, uid } });
  const verifier = new PeerVerifier(client);
  const instance = randomUUID();
  return (peerAccount) => ({ identity, verifier, instance, peerAccount: { namespace, name: peerAccount } });
}
