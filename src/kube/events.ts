/** Kubernetes Events (events.k8s.io/v1), sent in the background, each fact once. */
import { createHash } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { unlessAborted } from './abortable.ts';
import { WritesEnded, describeError, isAlreadyExists } from './errors.ts';
import { formatMicroTime } from './lease.ts';
import type { KubeMetrics } from './metrics.ts';
import type { KubeObject, Logger, Resource } from './types.ts';

/** An Event of events.k8s.io/v1. */
export interface KubeEvent extends KubeObject {
  eventTime: string;
  type: 'Normal' | 'Warning';
  reason: string;
  action: string;
  note: string;
  regarding: {
    apiVersion?: string;
    kind?: string;
    namespace?: string;
    name: string;
    uid?: string;
    resourceVersion?: string;
  };
  reportingController: string;
  reportingInstance: string;
  series?: { count: number; lastObservedTime: string } | null;
}

export const events: Resource<KubeEvent> = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

/** What happened. `reason` is UpperCamelCase and at most 128 characters, `message` a stable sentence. */
export interface EventInput {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  /** What was done; default: the reason. */
  action?: string;
}

export interface EventRecorderOptions {
  client: Pick<KubeClient, 'create' | 'get' | 'patch'>;
  /** Such as `example.com/operator`. */
  reportingController: string;
  reportingInstance: string;
  logger: Logger;
  metrics?: KubeMetrics;
  /** For how long the same fact counts as a repetition; default 10 minutes. */
  repetitionMs?: number;
  /** At most one update of an Event's series in this time; default 5 minutes. */
  seriesIntervalMs?: number;
  /** Different Events about one object within the repetition time; default 10. */
  perObject?: number;
}

/** Facts remembered, and Events waiting to be sent; beyond it the oldest fact is forgotten, a new Event dropped. */
const MAX_REMEMBERED = 1000;
const MAX_WAITING = 100;
/** The API server refuses longer notes (bytes). */
const MAX_NOTE_BYTES = 1024;

interface Fact {
  namespace: string;
  name: string;
  regardingUid: string;
  lastSeenAt: number;
  count: number;
  sentCount: number;
}

/**
 * Records Events. The same fact (object, type, reason, message) becomes one Event with a growing series; its name is
 * derived from the fact, so another process, or this one after a restart, finds the Event instead of making a second.
 */
export class EventRecorder {
  readonly #options: Required<Omit<EventRecorderOptions, 'metrics'>> & { metrics?: KubeMetrics };
  readonly #facts = new Map<string, Fact>();
  #sending: Promise<void> = Promise.resolve();
  #waiting = 0;
  #flushTimer: NodeJS.Timeout | undefined;
  readonly #abort = new AbortController();
  #stopped = false;

  constructor(options: EventRecorderOptions) {
    this.#options = { repetitionMs: 600_000, seriesIntervalMs: 300_000, perObject: 10, ...options };
  }

  /** Records the event in the background. Never throws; what cannot be sent is counted and logged. */
  record(regarding: KubeObject, input: EventInput): void {
    if (this.#stopped) return;
    const now = Date.now();
    const uid = regarding.metadata.uid ?? '';
    const id = createHash('sha256')
      .update(JSON.stringify([uid, input.type, input.reason, input.message]))
      .digest('hex')
      .slice(0, 16);
    const known = this.#facts.get(id);
    if (known !== undefined && now - known.lastSeenAt < this.#options.repetitionMs) {
      this.#repeat(id, known, now);
      return;
    }
    this.#facts.delete(id);
    if (this.#countAbout(uid, now) >= this.#options.perObject) {
      this.#drop('too many different events about one object', regarding);
      return;
    }
    const fact: Fact = {
      namespace: regarding.metadata.namespace ?? 'default',
      // A name may have 253 characters; the hash with its dot takes 17.
      name: `${regarding.metadata.name.slice(0, 236)}.${id}`,
      regardingUid: uid,
      lastSeenAt: now,
      count: 1,
      sentCount: 1,
    };
    this.#facts.set(id, fact);
    this.#forgetOldest();
    this.#send(id, regarding, async () => await this.#create(fact, regarding, input, now));
  }

  /** Sends the counts that are still to be sent, and waits for all that is under way; after `graceMs` it is cut off. */
  async stop(graceMs = 5000): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#flush();
    const timer = setTimeout(() => this.#abort.abort(new Error('the recorder was stopped')), graceMs);
    await unlessAborted(this.#sending, this.#abort.signal).catch(() => undefined);
    clearTimeout(timer);
  }

  #repeat(id: string, fact: Fact, now: number): void {
    fact.count += 1;
    fact.lastSeenAt = now;
    // Put at the end: the map's order is that of the last sight.
    this.#facts.delete(id);
    this.#facts.set(id, fact);
    this.#flushLater();
  }

  #flushLater(): void {
    this.#flushTimer ??= setTimeout(() => this.#flush(), this.#options.seriesIntervalMs).unref();
  }

  /** Sends the counts that have grown. */
  #flush(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    for (const [id, fact] of this.#facts) if (fact.count > fact.sentCount) this.#sendSeries(id, fact);
  }

  #sendSeries(id: string, fact: Fact): void {
    this.#send(id, { metadata: { namespace: fact.namespace, name: fact.name } }, async () => {
      const { count, lastSeenAt } = fact;
      const series = { count, lastObservedTime: formatMicroTime(new Date(lastSeenAt)) };
      await this.#options.client.patch(events, fact, { series }, { type: 'merge', signal: this.#abort.signal });
      fact.sentCount = count;
    });
  }

  async #create(fact: Fact, regarding: KubeObject, input: EventInput, now: number): Promise<void> {
    const { client, reportingController, reportingInstance } = this.#options;
    const { apiVersion, kind, metadata } = regarding;
    const { signal } = this.#abort;
    const event: KubeEvent = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { namespace: fact.namespace, name: fact.name },
      eventTime: formatMicroTime(new Date(now)),
      type: input.type,
      reason: input.reason,
      action: input.action ?? input.reason,
      note: truncateBytes(input.message, MAX_NOTE_BYTES),
      regarding: {
        ...(apiVersion === undefined ? {} : { apiVersion }),
        ...(kind === undefined ? {} : { kind }),
        ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
        name: metadata.name,
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      },
      reportingController,
      reportingInstance,
    };
    try {
      await client.create(events, event, { signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      // Made before a restart, or by the leader before us: go on counting from there.
      const existing = await client.get(events, fact, { signal });
      fact.count += existing?.series?.count ?? 1;
      if (!this.#stopped) this.#flushLater();
    }
  }

  /** Queues the task. A fact whose Event may not be there is forgotten: when it is seen again it is made anew. */
  #send(id: string, about: KubeObject, task: () => Promise<void>): void {
    if (this.#waiting >= MAX_WAITING) {
      this.#facts.delete(id);
      this.#drop('too many events waiting', about);
      return;
    }
    this.#waiting += 1;
    // One after the other: an Event's series is never sent before the Event itself.
    this.#sending = this.#sending
      .then(task)
      .catch((error: unknown) => {
        this.#facts.delete(id);
        if (!(error instanceof WritesEnded)) this.#drop(describeError(error), about);
      })
      .then(() => {
        this.#waiting -= 1;
      });
  }

  #drop(why: string, about: KubeObject): void {
    const { namespace, name } = about.metadata;
    this.#options.metrics?.eventsDropped.inc();
    this.#options.logger.warn({ namespace, name, why }, 'an event was not recorded');
  }

  #countAbout(uid: string, now: number): number {
    let count = 0;
    for (const fact of this.#facts.values()) {
      if (fact.regardingUid === uid && now - fact.lastSeenAt < this.#options.repetitionMs) count += 1;
    }
    return count;
  }

  #forgetOldest(): void {
    if (this.#facts.size <= MAX_REMEMBERED) return;
    const oldest = this.#facts.keys().next();
    if (oldest.done !== true) this.#facts.delete(oldest.value);
  }
}

/** Returns `text` cut to at most `max` bytes of UTF-8, at a character's boundary. */
export function truncateBytes(text: string, max: number): string {
  if (Buffer.byteLength(text) <= max) return text;
  let end = max;
  const bytes = Buffer.from(text);
  // 10xxxxxx is the inside of a character.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString('utf8');
}
