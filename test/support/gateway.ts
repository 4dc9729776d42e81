/** A gateway in this process over replicas that a test names, without Kubernetes. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { Registry as MetricsRegistry } from 'prom-client';
import type { GatewayLimits } from '../../src/gateway/limits.ts';
import { UsageLedger } from '../../src/gateway/metering/ledger.ts';
import { Meter } from '../../src/gateway/metering/meter.ts';
import { MeterMetrics } from '../../src/gateway/metering/metrics.ts';
import { GatewayMetrics } from '../../src/gateway/metrics.ts';
import { LoadTracker } from '../../src/gateway/load/tracker.ts';
import { createGateway, type GatewayOptions } from '../../src/gateway/server.ts';
import type {
  AuthenticatedKey,
  Authenticator,
  Deployment,
  Registry,
  Replica,
  ReplicaPicker,
  Scope,
  ServedModel,
} from '../../src/gateway/types.ts';

export const KEY = 'sk-test';
export const VIEW_KEY = 'sk-view';
export const FILES_KEY = 'sk-files';

const IDLE = { inFlight: 0, batchInFlight: 0, outstandingTokens: 0 };

/** A deployment whose replicas come and go by set(). */
export class FakeDeployment implements Deployment {
  readonly namespace = 'default';
  readonly name: string;
  readonly uid: string;
  readonly created = 1_700_000_000;
  holdTimeoutSeconds = 50;
  suspended = false;
  removed = false;
  /** How long a replica takes to start. */
  loadSeconds: number | undefined;
  readonly all: Replica[] = [];
  readonly #listeners = new Set<() => void>();

  constructor(name: string, origins: readonly string[] = []) {
    this.name = name;
    this.uid = `uid-${name}`;
    for (const origin of origins) this.add(origin);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  add(origin: string, serving = true): Replica {
    const podUid = `pod-${this.all.length}`;
    const replica: Replica = { podUid, origin, serving, draining: false, ...IDLE };
    this.all.push(replica);
    this.#tell();
    return replica;
  }

  setServing(index: number, serving: boolean): void {
    const replica = this.all[index];
    if (replica === undefined) throw new Error(`There is no replica ${index}.`);
    replica.serving = serving;
    this.#tell();
  }

  replicas(): readonly Replica[] {
    return this.all;
  }

  readyInSeconds(_: number, waitedSeconds: number): number | undefined {
    return this.loadSeconds && this.loadSeconds - waitedSeconds;
  }

  onReplicasChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops the deployment, or deletes it. */
  end(how: 'suspended' | 'removed'): void {
    this[how] = true;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

const leastInFlight: ReplicaPicker = (replicas, _, exclude) =>
  replicas
    .filter(({ serving, podUid }) => serving && !exclude.has(podUid))
    .toSorted((a, b) => a.inFlight - b.inFlight)[0];

function key(keyId: string, scopes: readonly Scope[]): AuthenticatedKey {
  return { keyId, namespace: 'default', name: keyId, scopes: new Set(scopes) };
}

const authenticator: Authenticator = {
  authenticate(authorization) {
    if (authorization === `Bearer ${KEY}`) return key('test', ['inference']);
    if (authorization === `Bearer ${VIEW_KEY}`) return key('view', ['view']);
    if (authorization === `Bearer ${FILES_KEY}`) return key('files', ['files']);
    return undefined;
  },
};

export interface RunningGateway {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly metrics: MetricsRegistry;
  readonly load: LoadTracker;
  readonly meter: Meter;
  /** What was used. */
  readonly ledger: UsageLedger;
  /** Listens for the batch process on 127.0.0.1; returns the port. */
  listenInternal(): Promise<number>;
  /** All that was logged, at every level. */
  log(): string;
  /** As at the end of readiness. */
  leave(): void;
  close(graceMs?: number): Promise<void>;
}

function served(deployment: Deployment, id: string): ServedModel {
  return { id, deployment, engineModel: deployment.name, parent: undefined };
}

/**
 * Starts a gateway that knows these deployments, all in the namespace of the keys; `more` is what stands beside it: a batch
 * process, an end for its internal port, a catalogue, a view, or keys of the test's own.
 */
export async function startGateway(
  deployments: readonly Deployment[],
  limits: Partial<GatewayLimits> = {},
  more: Partial<
    Pick<GatewayOptions, 'authenticator' | 'batch' | 'catalogue' | 'internal' | 'page' | 'sessions' | 'view'>
  > = {},
): Promise<RunningGateway> {
  const registry: Registry = {
    resolve: ({ namespace }, model) => {
      const found = deployments.find(({ name }) => name === model || `${namespace}/${name}` === model);
      return found && served(found, model);
    },
    find: (namespace, name) =>
      deployments.find((deployment) => deployment.namespace === namespace && deployment.name === name),
    list: () => deployments.map((deployment) => served(deployment, deployment.name)),
  };
  const metrics = new MetricsRegistry();
  const load = new LoadTracker();
  const ledger = new UsageLedger(() => undefined);
  const meterMetrics = new MeterMetrics({ registry: metrics, keyExists: () => true });
  const meter = new Meter({ metrics: meterMetrics, ledger, now: () => Date.now() });
  let log = '';
  const logger = pino({ level: 'trace' }, { write: (line: string) => (log += line) });
  const gateway = createGateway({
    registry,
    authenticator,
    pick: leastInFlight,
    logger,
    metrics: new GatewayMetrics(metrics),
    load,
    meter,
    limits,
    ...more,
  });
  const port = await gateway.listen(0);
  return {
    url: `http://127.0.0.1:${port}`,
    metrics,
    load,
    meter,
    ledger,
    listenInternal: () => gateway.listenInternal(0, '127.0.0.1'),
    log: () => log,
    leave: () => gateway.leave(),
    close: (graceMs = 0) => gateway.close(graceMs),
  };
}

export interface FakeEngine {
  readonly origin: string;
  /** Requests so far, with their bodies; /health and /metrics are not among them. */
  readonly requests: { readonly head: IncomingMessage; readonly body: string }[];
  close(): void;
}

/**
 * Starts an engine that answers as `handler` says; `/health` is 200 unless `healthy` says no, then it hangs; `/metrics` is
 * answered by `metrics`, else it is not found.
 */
export async function startEngine(
  handler: (response: ServerResponse, request: IncomingMessage, body: string) => void | Promise<void>,
  healthy: () => boolean = () => true,
  metrics: (response: ServerResponse) => void = (response) => response.writeHead(404).end(),
): Promise<FakeEngine> {
  const requests: { head: IncomingMessage; body: string }[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/health') {
      if (healthy()) response.end();
      return;
    }
    if (request.url === '/metrics') {
      metrics(response);
      return;
    }
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      requests.push({ head: request, body });
      void handler(response, request, body);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Sends a JSON body to a route of a gateway with the test's key. */
export function post(
  gateway: { url: string },
  path: string,
  body: unknown,
  options: { headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<Response> {
  return fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...options.headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

/** A chat request to `model`. */
export function chat(model: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { model, messages: [{ role: 'user', content: 'Say something.' }], max_tokens: 5, ...more };
}
