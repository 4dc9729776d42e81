/** Entry of the batch process: the API of files and batches, and the worker that runs the batches. */
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { Logger } from 'pino';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { channelEnds } from '../channel/ends.ts';
import { GATEWAY_ACCOUNT } from '../channel/port.ts';
import { untilAborted } from '../kube/abortable.ts';
import { KubeClient } from '../kube/client.ts';
import { describeError } from '../kube/errors.ts';
import { KubeMetrics } from '../kube/metrics.ts';
import { serveHealth } from '../process/health-server.ts';
import { runProcess } from '../process/run-process.ts';
import { createStores, probeStore } from '../store/create-store.ts';
import { BatchView } from './batches/batch-view.ts';
import { FileRepository } from './files/file-repository.ts';
import { Sweeper } from './files/sweeper.ts';
import { createBatchInformer } from './informer.ts';
import { closeWithin, gatewaysOnly, thisMachineOnly } from './listener.ts';
import { ClockWatch } from './clock-watch.ts';
import { BatchApiMetrics } from './metrics.ts';
import { createDeploymentInformer } from './replica-time/informer.ts';
import { ReplicaTimeRecorder } from './replica-time/recorder.ts';
import { ReplicaTimeRecords } from './replica-time/records.ts';
import { createBatchApi } from './server.ts';
import { readSettings, type Settings } from './settings.ts';
import { startWorker } from './start-worker.ts';
import { TimedIds } from './timed-ids.ts';
import { UsageRecords } from './usage/usage-records.ts';

/** Serves until `stop` aborts, then until the requests under way are done or the time for that is over. */
async function serve(settings: Settings, logger: Logger, stop: AbortSignal): Promise<void> {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const kubeMetrics = new KubeMetrics({ registry: metrics, prefix: 'infer_' });
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const client = KubeClient.fromKubeConfig(kubeConfig, {
    userAgent: 'infer-batch',
    onRequest: kubeMetrics.observeRequest,
  });
  const {
    drainMs,
    gatewayAddress,
    leaveMs,
    maxNamespaceBytes,
    pod,
    relistIntervalMs,
    sweepIntervalMs,
    watchNamespace,
  } = settings;
  const { forClients: store, forBatches } = await createStores(settings.store);
  const watch = { client, watchNamespace, relistIntervalMs, logger, metrics: kubeMetrics };
  const informer = createBatchInformer(watch);
  const deployments = createDeploymentInformer(watch);
  const replicaTime = new ReplicaTimeRecorder({
    deployments,
    records: new ReplicaTimeRecords(store, logger),
    now: () => Date.now(),
    clock: new ClockWatch({ wall: () => Date.now(), monotonic: () => performance.now() }),
    logger,
  });
  const files = new FileRepository(store, logger);
  const usageRecords = new UsageRecords(store, logger);
  const api = await createBatchApi({
    store,
    usageRecords,
    replicaTime,
    now: () => Date.now(),
    files,
    batches: new BatchView(informer, client),
    client,
    ids: new TimedIds(),
    metrics: new BatchApiMetrics(metrics),
    logger,
    limits: { maxNamespaceBytes },
  });
  const end = pod && channelEnds(client, pod)(GATEWAY_ACCOUNT);
  const listener = end === undefined ? thisMachineOnly(api.http) : gatewaysOnly(api.http, end, logger);
  const sweeper = new Sweeper({
    store,
    files,
    usage: usageRecords,
    batches: informer,
    watchNamespace,
    intervalMs: sweepIntervalMs,
    metrics,
    logger,
  });

  let apiPort: number | undefined;
  let stopWorker: ((graceMs: number) => Promise<void>) | undefined;
  const missing = (): string[] => [
    ...(informer.hasSynced ? [] : ['batches not listed yet']),
    ...(apiPort === undefined ? ['not listening yet'] : []),
    ...(stop.aborted ? ['stopping'] : []),
  ];
  const health = await serveHealth(settings.port, metrics, missing);
  informer.start();
  deployments.start();
  logger.info({ port: health.port }, 'waiting for the first list');
  try {
    // One that does not work now may work later: requests are answered 503 until then.
    await probeStore(store, stop).catch((error: unknown) => logger.error({ error: describeError(error) }, 'store'));
    await informer.synced(stop);
    apiPort = await listener.listen(settings.apiPort);
    sweeper.start();
    // Files and batches are served also where the deployments cannot be listed.
    void deployments.synced(stop).then(
      () => replicaTime.start(),
      () => undefined,
    );
    if (pod && end && gatewayAddress) {
      const ofBatches = { store: forBatches, files: new FileRepository(forBatches, logger) };
      stopWorker = startWorker({ client, informer, ...ofBatches, pod, end, gatewayAddress, logger });
    }
    logger.info({ apiPort }, 'serving');
    await untilAborted(stop);
    api.leave();
    // Gateways go on sending until they have seen the end of readiness.
    await delay(leaveMs);
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    await Promise.all([closeWithin(listener, drainMs), stopWorker?.(drainMs), sweeper.stop(), replicaTime.stop()]);
    await api.close();
    await Promise.all([informer.stop(), deployments.stop()]);
    await health.close();
    await client.close();
  }
}

runProcess({ name: 'batch', readSettings, run: serve });
