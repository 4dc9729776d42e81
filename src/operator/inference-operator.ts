/**
 * The operator process on the frame of `@dot-i/k8s-operator`. Its start and configuration are used; what ends the
 * process or loses writes in it (watch, stop, status, finalizers; see docs/design/0005-process-frame.md) is replaced
 * by src/kube, so that the dependency could go in one commit.
 */
import OperatorModule, { type OperatorLogger } from '@dot-i/k8s-operator';
import type { Registry } from 'prom-client';
import { APPLIED_ANNOTATION, RECONCILER_MANAGER } from '../api/labels.ts';
import { untilAborted } from '../kube/abortable.ts';
import { Applier } from '../kube/apply.ts';
import type { ChannelEnd } from '../channel/handshake.ts';
import type { Decision } from '../autoscaler/decision.ts';
import { KubeClient } from '../kube/client.ts';
import { pause } from '../kube/backoff.ts';
import { EventRecorder } from '../kube/events.ts';
import { LeaderElector } from '../kube/lease.ts';
import { KubeMetrics } from '../kube/metrics.ts';
import { objectKey, parseKey, type Logger } from '../kube/types.ts';
import { WorkQueue } from '../kube/workqueue.ts';
import { ApplyFailures } from './apply-failures.ts';
import { createCaches, type Caches } from './caches.ts';
import { engineLogReader, EngineLogs } from './engine-logs.ts';
import { createChannelEnd, Gateways, registerGatewayMetrics } from './gateways.ts';
import { enqueueOnChange } from './triggers.ts';
import { registerDeploymentMetrics, registerScalingMetrics } from './metrics.ts';
import { reconcile } from './reconcile.ts';
import { serveHealth, type HealthServer } from '../process/health-server.ts';
import { createScaling, type Scaling } from './scaling.ts';
import type { Settings } from './settings.ts';
import { restoreTurns } from './templates/restore-turns.ts';
import { DISPLAY_INTERVAL_MS, TrafficDisplay } from './traffic-display.ts';
import { DepartedPods } from './usage/departed-pods.ts';
import { unwatchedFrom } from './usage/accounting.ts';
import { registerUsageMetrics } from './usage/metrics.ts';
import { PriceDisplay } from './usage/price-display.ts';

// The package is CommonJS: its default export arrives as a member of the module object.
const Operator = OperatorModule.default;

const WORKERS = 4;
/** After a write of status: a pass that fails must not be hurried on by its own write. */
const STATUS_CHECK_MS = 5_000;
/** Acknowledgements of several gateways come at once; one pass is enough for them. */
const ACKNOWLEDGED_MS = 200;
/** Within the pod's grace period of 30 s, with room for releasing the Lease. */
const STOP_GRACE_MS = 15_000;

/** A new leader waits for so long for the batches that there are, so as not to take none for none. */
const BATCHES_PATIENCE_MS = 5_000;

export class InferenceOperator extends Operator {
  /** Resolves when the operator has stopped; rejects when it ended by itself. */
  readonly stopped: Promise<void>;

  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #registry: Registry;
  readonly #metrics: KubeMetrics;
  readonly #stop = new AbortController();
  readonly #settleStopped: { resolve: () => void; reject: (error: unknown) => void };
  readonly #client: KubeClient;
  readonly #caches: Caches;
  #server: HealthServer | undefined;
  /** Set while this process leads; changes before that are found by the first pass over everything. */
  #queue: WorkQueue | undefined;
  readonly #channelEnd: ChannelEnd;
  readonly #onChannelFailure: (reason: string) => void;
  readonly #display = new TrafficDisplay();
  readonly #prices = new PriceDisplay();
  readonly #departed: DepartedPods;
  /** From when on this process sees every replica that goes, in Unix milliseconds; undefined before the first lists. */
  #watchingSinceMs: number | undefined;
  readonly #onDecision: (decision: Decision) => void;
  /** Set while this process leads, as the next. */
  #gateways: Gateways | undefined;
  #scaling: Scaling | undefined;

  constructor(settings: Settings, registry: Registry, logger: Logger) {
    super(frameLogger(logger));
    this.#settings = settings;
    this.#log = logger;
    this.#registry = registry;
    this.#metrics = new KubeMetrics({ registry, prefix: 'infer_' });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.stopped = promise;
    this.#settleStopped = { resolve, reject };
    this.#client = KubeClient.fromKubeConfig(this.kubeConfig, {
      userAgent: 'infer-operator',
      onRequest: this.#metrics.observeRequest,
    });
    this.#caches = createCaches({
      client: this.#client,
      watchNamespace: settings.watchNamespace,
      namespace: settings.namespace,
      relistIntervalMs: settings.relistIntervalMs,
      logger,
      metrics: this.#metrics,
    });
    this.#departed = new DepartedPods(this.#caches, () => Date.now());
    registerDeploymentMetrics(registry, this.#caches);
    registerUsageMetrics(registry, this.#caches, this.#departed);
    enqueueOnChange(
      this.#caches,
      (ref) => this.#queue?.add(objectKey(ref)),
      (ref) => this.#queue?.addAfter(objectKey(ref), STATUS_CHECK_MS),
    );
    this.#channelEnd = createChannelEnd(this.#client, settings);
    this.#onChannelFailure = registerGatewayMetrics(registry, this.#caches, () => this.#gateways).onFailure;
    this.#caches.gatewayPods.onChange((change) => this.#gateways?.podChanged(change));
    this.#onDecision = registerScalingMetrics(registry, this.#caches, () => this.#scaling?.scaler).onDecision;
    this.#caches.inferenceDeployments.onChange(({ type, object: { metadata } }) => {
      if (type !== 'deleted') return;
      this.#gateways?.view.forgetDeployment(metadata.uid ?? '');
      this.#scaling?.forget(metadata.uid ?? '');
      this.#prices.forget(metadata.uid ?? '');
    });
    this.#caches.inferenceBatches.onChange(({ object, previous }) => this.#scaling?.batchChanged(object, previous));
  }

  /** The port that health and metrics are served on; undefined before the start. */
  get port(): number | undefined {
    return this.#server?.port;
  }

  /** Those without which no pass can be made: where the kind of batches, or the right to it, is missing, all else goes on. */
  get #neededCaches(): Omit<Caches, 'inferenceBatches'> {
    const { inferenceBatches: _, ...needed } = this.#caches;
    return needed;
  }

  /** Starts the health server, the caches and the election; returns at once. */
  protected override async init(): Promise<void> {
    const informers = Object.values(this.#caches);
    this.#server = await serveHealth(this.#settings.port, this.#registry, () =>
      Object.entries(this.#neededCaches).flatMap(([kind, informer]) => (informer.hasSynced ? [] : [kind])),
    );
    for (const informer of informers) informer.start();
    void this.#caches.pods.synced().then(() => (this.#watchingSinceMs = Date.now()));
    this.#runElections().then(this.#settleStopped.resolve, this.#settleStopped.reject);
    this.#log.info({ port: this.#server.port, namespace: this.#settings.namespace }, 'operator started');
  }

  /** Begins an orderly stop: running passes finish, the Lease is released, then `stopped` resolves. */
  override stop(): void {
    this.#stop.abort();
  }

  /** Leads term after term: an API server that was away ends a term, not the process. */
  async #runElections(): Promise<void> {
    const elector = new LeaderElector({
      client: this.#client,
      namespace: this.#settings.namespace,
      name: 'infer-operator',
      identity: this.#settings.identity,
      logger: this.#log,
      metrics: this.#metrics,
    });
    try {
      let ended: 'stopped' | 'lost' = 'lost';
      while (ended === 'lost') {
        const over = new AbortController();
        ended = await elector.run(this.#stop.signal, async (leadership, lost) => {
          const ends = AbortSignal.any([lost, over.signal]);
          try {
            const client = this.#client.writesUntil(ends, elector.isLeading);
            await this.#lead(leadership, client, elector.predecessorUntilMs);
          } finally {
            // A write that still hangs must not land after the Lease was given away.
            over.abort();
          }
        });
      }
    } finally {
      await this.#close();
    }
  }

  /**
   * One term: every write of it goes through `client`, which refuses once another process may lead. Until `watchedUntilMs`
   * another did.
   */
  async #lead(leadership: AbortSignal, client: KubeClient, watchedUntilMs: number | undefined): Promise<void> {
    const informers = Object.values(this.#neededCaches);
    await Promise.race([Promise.all(informers.map((informer) => informer.synced())), untilAborted(leadership)]);
    const { inferenceBatches } = this.#caches;
    await Promise.race([inferenceBatches.synced(), pause(BATCHES_PATIENCE_MS, leadership)]);
    if (leadership.aborted) return;
    if (!inferenceBatches.hasSynced)
      this.#log.warn({}, 'batches cannot be listed: nothing is scaled for them until then');
    const events = new EventRecorder({
      client,
      reportingController: 'infer.dev/operator',
      reportingInstance: this.#settings.identity,
      logger: this.#log,
      metrics: this.#metrics,
    });
    const gateways = new Gateways({
      caches: this.#caches,
      end: this.#channelEnd,
      port: this.#settings.channelPort,
      passes: {
        next: (metadata) => this.#queue?.addAfter(objectKey(metadata), ACKNOWLEDGED_MS),
        soon: (metadata) => this.#queue?.addAfter(objectKey(metadata), DISPLAY_INTERVAL_MS),
      },
      onReport: (uid) => this.#scaling?.scaler.reported(uid),
      logger: this.#log,
      onFailure: this.#onChannelFailure,
    });
    const scaling = createScaling({
      caches: this.#caches,
      gateways,
      onChange: (metadata) => this.#queue?.add(objectKey(metadata)),
      onDecision: this.#onDecision,
      logger: this.#log,
    });
    const applier = new Applier({ client, fieldManager: RECONCILER_MANAGER, hashAnnotation: APPLIED_ANNOTATION });
    const context = {
      caches: this.#caches,
      client,
      applier,
      events,
      gateways,
      scaling,
      display: this.#display,
      prices: this.#prices,
      departed: this.#departed,
      unwatchedSince: unwatchedFrom(watchedUntilMs, this.#watchingSinceMs ?? Date.now()),
      failures: new ApplyFailures(),
      engineLogs: new EngineLogs({ read: engineLogReader(client), logger: this.#log }),
      turns: restoreTurns(this.#caches, (ref) => this.#queue?.add(objectKey(ref))),
      settings: this.#settings,
      now: () => new Date(),
    };
    const queue = new WorkQueue({
      name: 'inferencedeployments',
      workers: WORKERS,
      process: (key) => reconcile(parseKey(key), context),
      logger: this.#log,
      metrics: this.#metrics,
    });
    this.#queue = queue;
    this.#gateways = gateways;
    this.#scaling = scaling;
    for (const resource of this.#caches.inferenceDeployments.list()) queue.add(objectKey(resource.metadata));
    queue.start();
    for (const batch of this.#caches.inferenceBatches.list()) scaling.batchChanged(batch);
    scaling.scaler.start();
    this.#log.info({}, 'reconciling');
    try {
      await untilAborted(leadership);
    } finally {
      this.#queue = undefined;
      this.#gateways = undefined;
      this.#scaling = undefined;
      scaling.scaler.stop();
      await gateways.stop();
      await queue.stop(STOP_GRACE_MS);
      await events.stop();
    }
  }

  async #close(): Promise<void> {
    await Promise.all(Object.values(this.#caches).map((informer) => informer.stop()));
    await this.#server?.close();
    await this.#client.close();
  }

  // The frame's own ways to watch and write end the process or lose writes; nothing here may fall back to them.
  protected override watchResource(): Promise<void> {
    return Promise.reject(new Error('Watch through an Informer of src/kube.'));
  }
  protected override registerCustomResourceDefinition(): Promise<never> {
    return Promise.reject(new Error('CRDs are installed from crds/ by the manifests.'));
  }
  protected override setResourceStatus(): Promise<null> {
    return Promise.reject(new Error('Status is written by reconcile.'));
  }
  protected override patchResourceStatus(): Promise<null> {
    return Promise.reject(new Error('Status is written by reconcile.'));
  }
  protected override setResourceFinalizers(): Promise<void> {
    return Promise.reject(new Error('Owner references clean up; there are no finalizers.'));
  }
  protected override handleResourceFinalizer(): Promise<boolean> {
    return Promise.reject(new Error('Owner references clean up; there are no finalizers.'));
  }
}

function frameLogger(logger: Logger): OperatorLogger {
  return {
    debug: (message) => logger.debug({}, message),
    info: (message) => logger.info({}, message),
    warn: (message) => logger.warn({}, message),
    error: (message) => logger.error({}, message),
  };
}
