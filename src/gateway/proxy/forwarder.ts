/** Takes a checked request to a replica and its answer back. */
import type { Logger } from 'pino';
import { Agent } from 'undici';
import { readLoadHeader } from '../engine/load-header.ts';
import { EngineScraper } from '../engine/scraper.ts';
import { shuttingDown } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import type { RequestEnd, RequestTrack } from '../load/deployment-load.ts';
import type { LoadTracker } from '../load/tracker.ts';
import type { Meter, RequestMeter, RequestOutcome } from '../metering/meter.ts';
import type { KeyName } from '../metering/metrics.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { Deployment, Replica, ReplicaPicker } from '../types.ts';
import { Attempt, type UpstreamRequest } from './attempt.ts';
import type { ClientResponse } from './client-response.ts';
import { Ejection } from './ejection.ts';
import type { Lease } from './lease.ts';
import { ReplicaMonitor } from './replica-monitor.ts';
import { ReplicaQueue, type ReplicaWish } from './replica-queue.ts';
import type { Outcome } from './reply-readers.ts';
import { RetryBudget } from './retry-budget.ts';
import { judge, type Verdict } from './verdict.ts';

const MAX_RETRIES = 2;
/** vLLM closes an idle connection after 5 s; ours must go first, or a request could meet the closing. */
const KEEP_ALIVE_MS = 4_000;

/** A request that has passed all checks. */
export interface ForwardRequest extends Omit<UpstreamRequest, 'origin'> {
  readonly deployment: Deployment;
  /** Whose request it is. */
  readonly key: KeyName;
  readonly estimatedTokens: number;
  /** It is of a batch: behind those of clients, in no target, and tried again by whoever runs the batch. */
  readonly batch: boolean;
}

/** One request on its way, with what its retries need to know. */
interface Course {
  readonly request: ForwardRequest;
  readonly client: ClientResponse;
  readonly budget: RetryBudget;
  readonly load: RequestTrack;
  readonly meter: RequestMeter;
  /** Pod UIDs that failed it. */
  readonly avoid: Set<string>;
  retries: number;
  /** Gives leave to retry back; for the attempt that runs. */
  endRetry: (() => void) | undefined;
  heldMs: number;
}

export class Forwarder {
  readonly #limits: GatewayLimits;
  readonly #metrics: GatewayMetrics;
  readonly #logger: Logger;
  readonly #load: LoadTracker;
  readonly #meter: Meter;
  readonly #agent: Agent;
  readonly #ejection: Ejection;
  readonly #queue: ReplicaQueue;
  readonly #monitor: ReplicaMonitor;
  readonly #scraper: EngineScraper;
  readonly #budgets = new Map<string, RetryBudget>();
  readonly #clients = new Set<ClientResponse>();

  constructor(options: {
    pick: ReplicaPicker;
    limits: GatewayLimits;
    metrics: GatewayMetrics;
    load: LoadTracker;
    meter: Meter;
    logger: Logger;
  }) {
    const { limits } = options;
    this.#limits = limits;
    this.#metrics = options.metrics;
    this.#logger = options.logger;
    this.#load = options.load;
    this.#meter = options.meter;
    this.#agent = new Agent({
      connect: { timeout: limits.connectTimeoutMs },
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      // Attempts keep time themselves: these two would also end a request that rightly takes long.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#ejection = new Ejection(limits);
    this.#queue = new ReplicaQueue(options.pick, this.#ejection, limits);
    this.#monitor = new ReplicaMonitor(this.#agent, limits, (replica) => this.#leaveOut(replica, 'unresponsive'));
    this.#scraper = new EngineScraper({
      dispatcher: this.#agent,
      limits,
      onRead: (deployment) => this.#load.engineRead(deployment),
      onFailure: (deployment) => this.#metrics.engineUnread(deployment),
    });
  }

  /**
   * Answers the client: with an engine's answer, or with the error that is left. Resolves when it has been told; never
   * holds a share of a replica beyond that.
   * @throws GatewayError where the client is still to be told why no replica could be had
   */
  async forward(request: ForwardRequest, client: ClientResponse): Promise<void> {
    const { uid } = request.deployment;
    const budget = this.#budgets.get(uid) ?? new RetryBudget();
    this.#budgets.set(uid, budget);
    const leave = budget.enter();
    this.#clients.add(client);
    const load = request.batch ? this.#load.arriveBatch(request.deployment) : this.#load.arrive(request.deployment);
    const course: Course = {
      request,
      client,
      budget,
      load,
      meter: this.#meter.begin(request),
      avoid: new Set(),
      retries: 0,
      endRetry: undefined,
      heldMs: 0,
    };
    let end: RequestEnd = 'failed';
    try {
      end = await this.#run(course);
    } finally {
      load.end(client.ended === undefined ? end : 'cancelled', performance.now());
      course.meter.end(outcomeOf(end, client));
      course.endRetry?.();
      client.stopHeartbeats();
      this.#clients.delete(client);
      leave();
      if (budget.idle && this.#budgets.get(uid) === budget) this.#budgets.delete(uid);
    }
  }

  /** Ends every request that is under way: streams with an error event. */
  cutAll(): void {
    for (const client of this.#clients) client.cut(shuttingDown());
  }

  async close(): Promise<void> {
    this.#monitor.close();
    this.#scraper.close();
    await this.#agent.destroy();
  }

  async #run(course: Course): Promise<RequestEnd> {
    const { client } = course;
    for (;;) {
      const lease = await this.#takeReplica(course);
      if (lease === undefined) return 'cancelled';
      course.load.servedBy(lease.replica.podUid);
      const outcome = await this.#attempt(course, lease);
      course.endRetry?.();
      if (outcome.kind === 'complete') this.#ejection.succeeded(lease.replica);
      if (outcome.kind === 'complete') return 'completed';
      if (outcome.kind === 'client-gone') return 'cancelled';
      const verdict = judge(outcome, { model: course.request.clientModel, bodyBytes: this.#limits.bodyBytes });
      // A request that an engine has a bug with comes again and again with its batch, and must not take replicas from clients.
      const ofRequest = course.request.batch && verdict.reason === 'engine_error';
      if (!ofRequest) this.#remember(lease.replica, verdict);
      if (client.answerBegun) {
        this.#metrics.broken(course.request.deployment, verdict.reason);
        client.sendError(verdict.error);
        return 'failed';
      }
      course.meter.discardAttempt();
      if (!(await this.#mayRetry(course, lease.replica, verdict))) {
        client.sendError(verdict.error);
        return verdict.error.status < 500 ? 'cancelled' : 'failed';
      }
    }
  }

  async #attempt({ request, client, load, meter, retries, endRetry }: Course, lease: Lease): Promise<Outcome> {
    const { replica } = lease;
    // An engine may still work on a request that it lost the connection of: its id must not come twice.
    const requestId = retries === 0 ? request.requestId : `${request.requestId}-${retries}`;
    const started = performance.now();
    const attempt = new Attempt(this.#agent, { ...request, origin: replica.origin, requestId }, client, this.#limits);
    attempt.onFirstByte = () => {
      endRetry?.();
      const now = performance.now();
      load.firstByte(now);
      meter.firstByte();
      const engine = attempt.loadHeader && readLoadHeader(attempt.loadHeader, replica.engine, now);
      if (engine) replica.engine = engine;
      if (!request.batch) this.#metrics.firstByte(request.deployment, request.stream, (now - started) / 1000);
    };
    meter.tokens = () => attempt.usage;
    this.#scraper.begin(request.deployment, replica);
    const unwatch = this.#monitor.watch(replica, () => attempt.cancel({ kind: 'failed', reason: 'unresponsive' }));
    try {
      return await attempt.outcome;
    } finally {
      unwatch();
      this.#scraper.end(replica);
      lease.release();
    }
  }

  async #takeReplica(course: Course): Promise<Lease | undefined> {
    const { request, client, avoid } = course;
    const { deployment, estimatedTokens, batch, clientModel } = request;
    if (client.ended !== undefined) return undefined;
    const free = this.#queue.tryTake(deployment, request, avoid);
    if (free !== undefined) return free;
    const wish: ReplicaWish = {
      deployment,
      model: clientModel,
      estimatedTokens,
      batch,
      avoid,
      signal: client.signal,
      holdTimeoutMs: this.#holdTimeoutMs(course),
    };
    const started = performance.now();
    const endHold = this.#metrics.hold(deployment, batch);
    course.load.held(started);
    if (request.stream) client.startHeartbeats(this.#limits.heartbeatMs);
    try {
      const lease = await this.#queue.wait(wish);
      if (lease === undefined || client.ended === undefined) return lease;
      lease.release();
      return undefined;
    } finally {
      client.stopHeartbeats();
      endHold();
      course.heldMs += performance.now() - started;
    }
  }

  /** How much longer a request may wait. */
  #holdTimeoutMs({ request, heldMs }: Course): number {
    const whole = request.stream ? this.#limits.streamHoldTimeoutMs : request.deployment.holdTimeoutSeconds * 1000;
    return Math.max(0, Math.round(whole - heldMs));
  }

  async #mayRetry(course: Course, replica: Replica, verdict: Verdict): Promise<boolean> {
    const { request, client, avoid } = course;
    if (request.batch || !verdict.retry || course.retries >= MAX_RETRIES || client.ended !== undefined) return false;
    avoid.add(replica.podUid);
    const others = request.deployment.replicas().some(({ serving, podUid }) => serving && !avoid.has(podUid));
    if (!others && !verdict.hold) return false;
    if (!others && verdict.sameReplica && course.retries === 0) avoid.clear();
    if (!verdict.workLost && !(await this.#waitForBudget(course))) return false;
    course.retries += 1;
    this.#metrics.retried(request.deployment, verdict.reason);
    this.#logger.debug({ requestId: request.requestId, reason: verdict.reason, pod: replica.podUid }, 'retry');
    return true;
  }

  /** Waits for leave to retry as for a replica: within the same time, with heartbeats. False where none was given. */
  async #waitForBudget(course: Course): Promise<boolean> {
    const { request, client } = course;
    const started = performance.now();
    if (request.stream) client.startHeartbeats(this.#limits.heartbeatMs);
    const patience = AbortSignal.timeout(this.#holdTimeoutMs(course));
    course.endRetry = await course.budget.retry(AbortSignal.any([client.signal, patience]));
    client.stopHeartbeats();
    course.heldMs += performance.now() - started;
    return course.endRetry !== undefined;
  }

  #remember(replica: Replica, verdict: Verdict): void {
    const now = performance.now();
    if (verdict.replica === 'leaving') this.#leaveOut(replica, verdict.reason);
    else if (verdict.replica === 'fine') this.#ejection.succeeded(replica);
    else if (this.#ejection.failed(replica, now)) this.#note(replica, verdict.reason);
  }

  #leaveOut(replica: Replica, reason: string): void {
    if (this.#ejection.eject(replica, performance.now())) this.#note(replica, reason);
  }

  #note(replica: Replica, reason: string): void {
    this.#metrics.ejected(reason);
    this.#logger.warn({ pod: replica.podUid, origin: replica.origin, reason }, 'replica left out for a while');
  }
}

function outcomeOf(end: RequestEnd, { ended }: ClientResponse): RequestOutcome {
  if (end === 'completed') return 'answered';
  if (ended === 'gone' || ended === 'stalled') return 'left';
  return end === 'cancelled' && ended === undefined ? 'refused' : 'failed';
}
