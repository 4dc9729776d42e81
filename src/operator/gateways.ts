/** What the operator knows of and from the gateways, for one term as the leader. */
import { randomUUID } from 'node:crypto';
import { Counter, Gauge, type Registry } from 'prom-client';
import { LoadView } from '../autoscaler/load-view.ts';
import type { TrafficSample } from '../autoscaler/observation.ts';
import type { ReplicaWork } from '../autoscaler/scale-down.ts';
import type { Traffic } from '../autoscaler/traffic-history.ts';
import type { ChannelEnd } from '../channel/handshake.ts';
import { ChannelIdentity } from '../channel/identity.ts';
import { GatewayLinks, mayHoldRequests } from '../channel/links.ts';
import type { Report } from '../channel/messages.ts';
import { GATEWAY_ACCOUNT, OPERATOR_ACCOUNT } from '../channel/port.ts';
import { PeerVerifier } from '../channel/verifier.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Logger, ObjectMeta } from '../kube/types.ts';
import type { Caches } from './caches.ts';
import { GatewayTeller } from './gateway-teller.ts';
import { LiveView } from './live-view.ts';
import type { Settings } from './settings.ts';

/** Returns the operator's end of every connection, for the life of the process. */
export function createChannelEnd(
  client: KubeClient,
  { namespace, pod }: Pick<Settings, 'namespace' | 'pod'>,
): ChannelEnd {
  return {
    identity: new ChannelIdentity({
      client,
      account: { namespace, name: pod?.serviceAccount ?? OPERATOR_ACCOUNT },
      ...(pod && { pod: { name: pod.name, uid: pod.uid } }),
    }),
    verifier: new PeerVerifier(client),
    instance: randomUUID(),
    peerAccount: { namespace, name: GATEWAY_ACCOUNT },
  };
}

/** What passes ask of the gateways. */
export interface GatewayWord {
  /** What the gateways say of a deployment's replicas now. */
  workOf(uid: string): ReplicaWork;
  /** Undefined where no gateway was heard of. */
  trafficOf(uid: string): Traffic | undefined;
  /** What came since the last call, for the scaler; undefined where a gateway that may hold requests is silent. */
  takeSample(uid: string): TrafficSample | undefined;
  /** The UIDs of the deployments that have requests, or had some within the last ticks of the scaler. */
  active(): string[];
  silentMs(): number;
}

/** Who is told when a pass over a deployment is due. */
export interface PassRequests {
  /** Within a moment, however often it is asked for. */
  next(deployment: ObjectMeta): void;
  soon(deployment: ObjectMeta): void;
}

export class Gateways implements GatewayWord {
  readonly view: LoadView;
  readonly #caches: Caches;
  readonly #passes: PassRequests;
  readonly #onReport: (uid: string) => void;
  readonly #links: GatewayLinks;
  readonly #teller: GatewayTeller;
  /** When every gateway was heard of last, or this term began. */
  #completeAtMs = performance.now();

  constructor(options: {
    caches: Caches;
    end: ChannelEnd;
    port: number;
    passes: PassRequests;
    /** Called with the UID of each deployment that a gateway reports on. */
    onReport: (uid: string) => void;
    logger: Logger;
    onFailure: (reason: string) => void;
  }) {
    const { caches, end, port, logger, onFailure } = options;
    this.#caches = caches;
    this.#passes = options.passes;
    this.#onReport = options.onReport;
    this.view = new LoadView(performance.now());
    this.#teller = new GatewayTeller(new LiveView(this.view, (uid) => this.#find(uid)), () => ({
      nowMs: performance.now(),
      timeMs: Date.now(),
    }));
    this.#links = new GatewayLinks({
      end,
      pods: caches.gatewayPods,
      port,
      logger,
      onFailure,
      listener: {
        connected: (podUid, instance, tell, isCongested) => {
          this.view.connected(podUid, instance, performance.now());
          this.#teller.connected(podUid, tell, isCongested);
        },
        disconnected: (podUid) => {
          this.view.disconnected(podUid);
          this.#teller.disconnected(podUid);
        },
        report: (podUid, report) => this.#take(podUid, report),
      },
    });
    this.#links.refresh();
    this.#teller.start();
  }

  /** A gateway's pod changed. */
  podChanged(change: { type: string; object: { metadata: ObjectMeta } }): void {
    if (change.type === 'deleted') this.view.forget(change.object.metadata.uid ?? '');
    this.#links.refresh();
  }

  workOf(uid: string): ReplicaWork {
    const awaited = this.#awaited();
    return {
      inFlight: this.view.inFlight(uid),
      isDrained: (podUid) => this.view.isDrained(uid, podUid, awaited, performance.now()),
      isPartial: !this.view.hearsAll(awaited, performance.now()),
    };
  }

  trafficOf(uid: string): Traffic | undefined {
    return this.view.traffic(uid, performance.now());
  }

  takeSample(uid: string): TrafficSample | undefined {
    return this.view.takeSample(uid, this.#awaited(), performance.now());
  }

  /** Returns for how many milliseconds one of the gateways that may hold requests has not been heard of; 0 without any. */
  staleMs(): number {
    const now = performance.now();
    if (this.#awaited().every((gateway) => this.view.isFresh(gateway, now))) this.#completeAtMs = now;
    return now - this.#completeAtMs;
  }

  active(): string[] {
    return this.view.active(performance.now());
  }

  silentMs(): number {
    return this.view.silentMs(performance.now());
  }

  async stop(): Promise<void> {
    this.#teller.stop();
    await this.#links.stop();
  }

  /** The gateways without whose word nothing is known. */
  #awaited(): string[] {
    const nowMs = Date.now();
    return this.#caches.gatewayPods
      .list()
      .filter((pod) => mayHoldRequests(pod, nowMs))
      .map(({ metadata }) => metadata.uid ?? '');
  }

  #find(uid: string): InferenceDeployment | undefined {
    return this.#caches.inferenceDeployments.byIndex('uid', uid)[0];
  }

  #take(podUid: string, report: Report): void {
    this.view.report(podUid, report, (uid) => this.#find(uid) !== undefined, performance.now());
    this.#teller.heard(podUid, report);
    for (const { uid, replicas } of report.deployments) {
      const metadata = this.#find(uid)?.metadata;
      if (metadata === undefined) continue;
      this.#onReport(uid);
      // An acknowledgement may be what a scale-down waits for; traffic only changes what is shown.
      if (replicas.some(({ draining }) => draining)) this.#passes.next(metadata);
      else this.#passes.soon(metadata);
    }
  }
}

/** Registers what the operator knows of the gateways; `current` is undefined while this process does not lead. */
export function registerGatewayMetrics(
  registry: Registry,
  caches: Caches,
  current: () => Gateways | undefined,
): { onFailure: (reason: string) => void } {
  const failures = new Counter({
    name: 'infer_channel_failures_total',
    help: 'Connections to gateways that failed: no connection, a peer that was not believed, or one that broke.',
    labelNames: ['reason'],
    registers: [registry],
  });
  const gateways = new Gauge({
    name: 'infer_channel_gateways',
    help: 'Gateways that were heard of within 5 s, at the operator that leads.',
    registers: [],
    collect() {
      this.set(current()?.view.freshGateways(performance.now()) ?? 0);
    },
  });
  const perDeployment = (name: string, help: string, value: (view: LoadView, uid: string) => number): void => {
    registry.registerMetric(
      new Gauge({
        name,
        help,
        labelNames: ['namespace', 'deployment'],
        registers: [],
        collect() {
          this.reset();
          const view = current()?.view;
          if (view === undefined) return;
          for (const { metadata } of caches.inferenceDeployments.list()) {
            const labels = { namespace: metadata.namespace ?? '', deployment: metadata.name };
            this.set(labels, value(view, metadata.uid ?? ''));
          }
        },
      }),
    );
  };
  registry.registerMetric(gateways);
  perDeployment(
    'infer_deployment_requests_in_flight',
    'Requests that replicas work on, over all gateways.',
    (view, uid) =>
      view
        .inFlight(uid)
        .values()
        .reduce((sum, count) => sum + count, 0),
  );
  perDeployment('infer_deployment_requests_held', 'Requests that wait for a replica, over all gateways.', (view, uid) =>
    view.held(uid),
  );
  return { onFailure: (reason) => failures.inc({ reason }) };
}
