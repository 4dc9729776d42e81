/** Entry of the gateway process. */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { channelEnds } from '../channel/ends.ts';
import type { ChannelEnd } from '../channel/handshake.ts';
import { channelAgent, channelOrigin } from '../channel/http-client.ts';
import { BATCH_ACCOUNT, OPERATOR_ACCOUNT } from '../channel/port.ts';
import { untilAborted } from '../kube/abortable.ts';
import { KubeClient } from '../kube/client.ts';
import { KubeMetrics } from '../kube/metrics.ts';
import { serveHealth } from '../process/health-server.ts';
import { runProcess } from '../process/run-process.ts';
import { createAuthenticator } from './auth/authenticator.ts';
import { KeyIndex } from './auth/key-index.ts';
import { keysByName } from './auth/on-behalf.ts';
import { createPicker } from './balancer/choose.ts';
import { createCaches } from './caches.ts';
import { createCatalogue } from './catalogue.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { createLoadChannel } from './load/channel.ts';
import { LoadTracker } from './load/tracker.ts';
import { createMetering } from './metering/metering.ts';
import { REPORTS_TOGETHER } from './metering/reporter.ts';
import { GatewayMetrics } from './metrics.ts';
import { registerReplicaMetrics } from './registry-metrics.ts';
import type { BatchUpstream } from './proxy/batch-process.ts';
import { DeploymentRegistry } from './registry.ts';
import { readPage } from './routes/page.ts';
import { createGateway } from './server.ts';
import { SharedKeys } from './session/shared-keys.ts';
import { Sessions } from './session/sessions.ts';
import { readSettings, type Settings } from './settings.ts';
import { createLeaderTalk } from './view/leader-talk.ts';
import { LiveFeed } from './view/live-feed.ts';

/** Serves until `stop` aborts, then until the requests under way are done or the time for that is over. */
async function serve(settings: Settings, logger: Logger, stop: AbortSignal): Promise<void> {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const kubeMetrics = new KubeMetrics({ registry: metrics, prefix: 'infer_' });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const client = KubeClient.fromKubeConfig(kubeConfig, {
    userAgent: 'infer-gateway',
    onRequest: kubeMetrics.observeRequest,
  });
  const { relistIntervalMs, watchNamespace } = settings;
  const caches = createCaches({ client, watchNamespace, relistIntervalMs, logger, metrics: kubeMetrics });
  const load = new LoadTracker();
  const gatewayMetrics = new GatewayMetrics(metrics);
  const { pod, batchAddress } = settings;
  const endFor = pod && channelEnds(client, pod);
  const batchUpstream = (connections: number): BatchUpstream | undefined =>
    endFor && batchAddress && upstreamOf(endFor(BATCH_ACCOUNT), batchAddress, connections);
  const metering = createMetering({
    metrics,
    apiKeys: caches.apiKeys,
    upstream: batchUpstream(REPORTS_TOGETHER),
    logger,
  });
  const registry = new DeploymentRegistry(caches, {
    touch: (deployment) => load.touch(deployment),
    forget: (deployment) => {
      load.forget(deployment);
      metering.forget(deployment);
      gatewayMetrics.forget(deployment).catch((error: unknown) => logger.error({ err: error }, 'metrics'));
    },
  });
  const keys = new KeyIndex(caches.apiKeys);
  registerReplicaMetrics(metrics, registry);
  const catalogue =
    pod && createCatalogue({ client, namespace: pod.namespace, relistIntervalMs, logger, metrics: kubeMetrics });
  // A request for files or batches takes one connection; there are never more than may be under way.
  const batch = batchUpstream(DEFAULT_LIMITS.transfers);
  const live = new LiveFeed();
  const sealing = new SharedKeys();
  // Beside the bundle; there is none beside the sources.
  const page = readPage(join(import.meta.dirname, 'page'));
  const gateway = createGateway({
    registry,
    authenticator: createAuthenticator((keyId) => keys.find(keyId)),
    // Gateways that start together do not begin with the same replica.
    pick: createPicker(randomInt(1_000)),
    logger,
    metrics: gatewayMetrics,
    load,
    ...(catalogue && { catalogue }),
    meter: metering.meter,
    view: { caches, live },
    sessions: new Sessions(sealing, caches.apiKeys),
    ...(page && { page }),
    ...(endFor && { internal: { end: endFor(BATCH_ACCOUNT), keys: keysByName(caches.apiKeys) } }),
    ...(batch && { batch }),
  });
  const channel =
    endFor &&
    createLoadChannel({
      end: endFor(OPERATOR_ACCOUNT),
      tracker: load,
      talk: createLeaderTalk(live, sealing),
      onLeaders: (count) => {
        live.leaders = count;
        sealing.leaders = count;
      },
      metrics,
      logger,
    });

  let apiPort: number | undefined;
  const missing = (): string[] => [
    ...Object.entries(caches).flatMap(([kind, informer]) => (informer.hasSynced ? [] : [`${kind} not listed yet`])),
    ...(apiPort === undefined ? ['not listening yet'] : []),
    ...(stop.aborted ? ['stopping'] : []),
  ];
  const health = await serveHealth(settings.port, metrics, missing);
  const informers = Object.values(caches);
  for (const informer of informers) informer.start();
  catalogue?.start();
  logger.info({ port: health.port }, 'waiting for the first lists');
  try {
    // Without keys and deployments it could only refuse. An API server that is away is waited for, however long.
    await Promise.all(informers.map((informer) => informer.synced(stop)));
    // Before the first request: whoever waits for this gateway's word must be able to hear it.
    await channel?.listen(settings.channelPort, pod?.ip);
    const internalPort = pod && (await gateway.listenInternal(settings.internalPort, pod.ip));
    apiPort = await gateway.listen(settings.apiPort);
    metering.start();
    logger.info({ apiPort, internalPort }, 'serving');
    await untilAborted(stop);
    gateway.leave();
    // Balancers in front go on sending until they have seen the end of readiness.
    await delay(settings.leaveMs);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await gateway.close(settings.drainMs);
    await metering.close();
    // Only now: those who wait for its last requests listen until they are done.
    await channel?.close();
    await Promise.all([...informers, catalogue].map((informer) => informer?.stop()));
    await health.close();
    await client.close();
  }
}

function upstreamOf(
  end: ChannelEnd,
  { host, port }: { host: string; port: number },
  maxConnectionsPerOrigin: number,
): BatchUpstream {
  return { dispatcher: channelAgent(end, { maxConnectionsPerOrigin }), origin: channelOrigin(host, port) };
}

runProcess({ name: 'gateway', readSettings, run: serve });
