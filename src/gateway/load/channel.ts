/** The gateway's end of the load channel, put together. */
import { randomUUID } from 'node:crypto';
import { Gauge, type Registry } from 'prom-client';
import { ChannelIdentity } from '../../channel/identity.ts';
import { OPERATOR_ACCOUNT } from '../../channel/port.ts';
import { ChannelServer } from '../../channel/server.ts';
import { PeerVerifier } from '../../channel/verifier.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Logger } from '../../kube/types.ts';
import type { PodIdentity } from '../../process/pod-identity.ts';
import type { LoadTracker } from './tracker.ts';

/** Returns the server that tells the leading operator of the load of this gateway; it does not listen yet. */
export function createLoadChannel(options: {
  client: KubeClient;
  pod: PodIdentity;
  tracker: LoadTracker;
  metrics: Registry;
  logger: Logger;
}): ChannelServer {
  const { client, pod, tracker, metrics, logger } = options;
  const { namespace, name, uid } = pod;
  const leaders = new Gauge({
    name: 'infer_gateway_channel_leaders',
    help: 'Operators that this gateway tells of its load: 1, and for a moment 2 when another takes over.',
    registers: [metrics],
  });
  return new ChannelServer({
    end: {
      identity: new ChannelIdentity({
        client,
        account: { namespace, name: pod.serviceAccount },
        pod: { name, uid },
      }),
      verifier: new PeerVerifier(client),
      instance: randomUUID(),
      peerAccount: { namespace, name: OPERATOR_ACCOUNT },
    },
    source: tracker,
    logger,
    onLeaders: (count) => leaders.set(count),
  });
}
