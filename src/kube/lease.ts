/** Leader election on a coordination.k8s.io Lease (client-go's algorithm, plus care for Leases edited by hand). */
import { pause } from './backoff.ts';
import type { KubeClient } from './client.ts';
import { describeError, isAlreadyExists, isConflict } from './errors.ts';
import type { KubeMetrics } from './metrics.ts';
import type { KubeObject, Logger, Resource } from './types.ts';

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  /** RFC 3339 with six digits of fraction (metav1.MicroTime). */
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export const leases: Resource<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
};

export interface LeaderElectorOptions {
  /** Must not be one of `writesUntil`. */
  client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  namespace: string;
  name: string;
  /** Unique to this process, such as the pod's name. */
  identity: string;
  /** How long the others wait after the last renewal they saw; default 15 s. */
  leaseDurationMs?: number;
  /** How long this process leads after its last renewal; shorter than the lease by a margin; default 10 s. */
  renewDeadlineMs?: number;
  /** From one try to the next, and for how long one request may take; default 2 s. */
  retryPeriodMs?: number;
  logger: Logger;
  metrics?: KubeMetrics;
  /** Milliseconds of a clock that never jumps back. */
  clock?: () => number;
}

/** What is seen of the lease, and since when it has looked like this, by our own clock. */
interface Observation {
  holder: string;
  durationMs: number;
  fingerprint: string;
  since: number;
}

interface Time {
  monotonic: number;
  wall: number;
}

/** A hand-edited duration must not lock everyone out for longer than this many of our own. */
const MAX_FOREIGN_DURATIONS = 4;

/** Returns the time as metav1.MicroTime writes it. */
export function formatMicroTime(now: Date): string {
  return now.toISOString().replace('Z', '000Z');
}

/**
 * Elects one leader among processes. No clock is compared with another machine's: a lease has expired when its record
 * has not changed for its duration, by our own monotonic clock. A holder stops earlier than that (`renewDeadlineMs`).
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #now: () => number;
  #observed: Observation;
  /** When the last successful renewal was begun, by both clocks (`#time`); undefined while not leading. */
  #renewedAt: Time | undefined;
  /** Aborts when leadership is lost; undefined while not leading. */
  #lost: AbortController | undefined;
  /** When the lease was renewed or released last before we took it, by the clock of who did, in Unix milliseconds. */
  #predecessorUntilMs: number | undefined;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2000;
    this.#now = options.clock ?? ((): number => performance.now());
    this.#observed = { holder: '', durationMs: 0, fingerprint: '', since: -Infinity };
  }

  /** True while the last renewal is recent enough. Meant as the `fence` of `KubeClient.writesUntil`. */
  isLeading = (): boolean => {
    if (this.#renewedAt === undefined || this.#lost === undefined) return false;
    if (this.#since(this.#renewedAt) >= this.#renewDeadlineMs) this.#lose('the lease was not renewed in time');
    return !this.#lost.signal.aborted;
  };

  /**
   * Until when a process before this term held the lease, in Unix milliseconds of its own clock; undefined where none is
   * known to have.
   */
  get predecessorUntilMs(): number | undefined {
    return this.#predecessorUntilMs;
  }

  /**
   * Waits for the lease, then runs `lead`, renewing until `lead` has ended.
   * - `leadership` aborts when `lead` is to end: on loss, and when `signal` aborts (an orderly stop).
   * - `lost` aborts on loss only, before the lease can expire for others: it ends writes, while after an orderly stop
   *   `lead` may still finish what it does.
   * Returns `lost`, or `stopped` after the lease was released. Throws what `lead` throws, after releasing.
   */
  async run(
    signal: AbortSignal,
    lead: (leadership: AbortSignal, lost: AbortSignal) => Promise<void>,
  ): Promise<'stopped' | 'lost'> {
    if (!(await this.#acquire(signal))) return 'stopped';
    const lost = new AbortController();
    const leadership = new AbortController();
    this.#lost = lost;
    const end = (): void => leadership.abort(new Error('leadership is to end'));
    for (const source of [signal, lost.signal]) source.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    this.#report(true);
    const over = new AbortController();
    const renewing = this.#keepRenewing(lost.signal, over.signal);
    try {
      await lead(leadership.signal, lost.signal);
    } finally {
      signal.removeEventListener('abort', end);
      over.abort();
      await renewing;
      this.#report(false);
      this.#renewedAt = undefined;
      this.#lost = undefined;
      if (!lost.signal.aborted) await this.#release();
    }
    return lost.signal.aborted ? 'lost' : 'stopped';
  }

  async #acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      if (await this.#attempt()) return true;
      await pause(this.#retryPeriodMs * (0.9 + 0.2 * Math.random()), signal);
    }
    return false;
  }

  async #keepRenewing(lost: AbortSignal, over: AbortSignal): Promise<void> {
    const deadline = setInterval(this.isLeading, Math.min(500, this.#renewDeadlineMs / 4));
    let tookMs = 0;
    while (!over.aborted && !lost.aborted) {
      // From begin to begin: after a try that was not answered the next one comes at once.
      await pause(Math.max(0, this.#retryPeriodMs - tookMs), over);
      const startedAt = this.#now();
      if (!over.aborted && !lost.aborted) await this.#attempt();
      tookMs = this.#now() - startedAt;
    }
    clearInterval(deadline);
  }

  /** Tries once to acquire or renew; returns whether the lease is ours now. Never throws. */
  async #attempt(): Promise<boolean> {
    const begunAt = this.#time();
    try {
      const mine = await this.#tryAcquireOrRenew();
      if (mine) this.#renewedAt = begunAt;
      else if (this.#renewedAt !== undefined) this.#lose(`the lease is held by ${this.#observed.holder || 'nobody'}`);
      return mine;
    } catch (error) {
      // Somebody else wrote in between: look again at the next attempt.
      const { logger, name } = this.#options;
      const level = isConflict(error) || isAlreadyExists(error) ? 'info' : 'warn';
      logger[level]({ lease: name, error: describeError(error) }, 'the lease could not be written or read');
      return false;
    }
  }

  async #tryAcquireOrRenew(): Promise<boolean> {
    const { client, namespace, name, identity } = this.#options;
    // Short, so that several tries fit into the deadline when connections have gone silent.
    const timeoutMs = this.#retryPeriodMs;
    const current = await client.get(leases, { namespace, name }, { timeoutMs });
    if (current === undefined) return await this.#recreate(timeoutMs);
    this.#observe(current);
    const mine = this.#observed.holder === identity;
    if (this.#renewedAt !== undefined && !mine) return false;
    if (!mine && !this.#mayTake(current)) return false;
    const now = formatMicroTime(new Date());
    const transitions = current.spec?.leaseTransitions ?? 0;
    const updated = await client.update(
      leases,
      {
        ...current,
        spec: {
          ...current.spec,
          holderIdentity: identity,
          leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
          acquireTime: mine ? (current.spec?.acquireTime ?? now) : now,
          renewTime: now,
          leaseTransitions: mine ? transitions : transitions + 1,
        },
      },
      { timeoutMs },
    );
    this.#observe(updated);
    // Also of our own name, as of a container that was started again.
    if (this.#renewedAt === undefined) {
      this.#predecessorUntilMs = Date.parse(current.spec?.renewTime ?? '') || undefined;
    }
    return true;
  }

  /** There is no lease: makes it, unless a holder that was seen may still be leading. */
  async #recreate(timeoutMs: number): Promise<boolean> {
    const { client, namespace, name, identity } = this.#options;
    const seen = this.#observed;
    if (seen.holder !== '' && seen.holder !== identity && this.#now() - seen.since < seen.durationMs) return false;
    const now = formatMicroTime(new Date());
    const created = await client.create(
      leases,
      {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { namespace, name },
        spec: {
          holderIdentity: identity,
          leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
          acquireTime: now,
          renewTime: now,
          leaseTransitions: 0,
        },
      },
      { timeoutMs },
    );
    this.#observe(created);
    // What an earlier term of this process knew says nothing of those that led since.
    if (this.#renewedAt === undefined) this.#predecessorUntilMs = undefined;
    return true;
  }

  /** True when the lease that another holds, or nobody, is free for us. */
  #mayTake(lease: Lease): boolean {
    const released = (lease.spec?.holderIdentity ?? '') === '' && lease.spec?.leaseDurationSeconds === 1;
    return released || this.#now() - this.#observed.since >= this.#observed.durationMs;
  }

  #observe(lease: Lease): void {
    const spec = lease.spec ?? {};
    const fingerprint = JSON.stringify([
      lease.metadata.uid,
      spec.holderIdentity,
      spec.renewTime,
      spec.leaseTransitions,
    ]);
    if (fingerprint === this.#observed.fingerprint) return;
    const asked = (spec.leaseDurationSeconds ?? 0) * 1000;
    const durationMs = Math.min(Math.max(asked, this.#leaseDurationMs), MAX_FOREIGN_DURATIONS * this.#leaseDurationMs);
    this.#observed = { holder: spec.holderIdentity ?? '', durationMs, fingerprint, since: this.#now() };
  }

  /** Lets others take over at once. Failing to is no harm: the lease expires. */
  async #release(): Promise<void> {
    const { client, namespace, name, identity, logger } = this.#options;
    try {
      const current = await client.get(leases, { namespace, name }, { timeoutMs: this.#retryPeriodMs });
      if (current?.spec?.holderIdentity !== identity) return;
      const now = formatMicroTime(new Date());
      const spec: LeaseSpec = { ...current.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now };
      await client.update(leases, { ...current, spec }, { timeoutMs: this.#retryPeriodMs });
    } catch (error) {
      logger.warn({ lease: name, error: describeError(error) }, 'the lease could not be released; it will expire');
    }
  }

  #time(): Time {
    return { monotonic: this.#now(), wall: Date.now() };
  }

  /** Milliseconds since, by the clock that moved further: while a virtual machine is suspended only the wall's does. */
  #since(time: Time): number {
    return Math.max(this.#now() - time.monotonic, Date.now() - time.wall);
  }

  #lose(why: string): void {
    if (this.#lost === undefined || this.#lost.signal.aborted) return;
    this.#options.logger.error({ lease: this.#options.name, why }, 'leadership lost');
    this.#lost.abort(new Error(why));
  }

  #report(leading: boolean): void {
    this.#options.metrics?.leader.set(leading ? 1 : 0);
    const message = leading ? 'leading' : 'no longer leading';
    this.#options.logger.info({ lease: this.#options.name, identity: this.#options.identity }, message);
  }
}
