/**
 * Streams of what changes on deployments. All of one key share an audience: a change is noted once for each audience that
 * may see it, and put into words at most once a second.
 */
import type { APIKey } from '../../api/generated/api-key.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { objectKey, parseKey } from '../../kube/types.ts';
import { isValid } from '../auth/authenticator.ts';
import type { ClientResponse } from '../proxy/client-response.ts';
import { idOf, reachedFrom, reachOf, type Reach } from '../reach.ts';
import type { AuthenticatedKey } from '../types.ts';
import { detailOf, liveOf, summaryOf, type Viewer } from './convert.ts';
import type { LiveFeed } from './live-feed.ts';
import { eventOf, Reader } from './reader.ts';
import { viewerOf, visibleTo, type ViewCaches } from './visible.ts';

const TICK_MS = 1_000;
/** More at once are written to each reader piece by piece. */
const MAX_SHARED = 100;

interface Audience {
  readonly key: AuthenticatedKey;
  readonly viewer: Viewer;
  /** Of the key as it is; another key of the name has another audience. */
  readonly reach: Reach;
  readonly readers: Set<Reader>;
  /** Keys of deployments that changed since the last tick. */
  readonly changed: Set<string>;
}

/** What a tick has put into words already. */
interface Words {
  readonly events: readonly Buffer[];
  readonly details: Map<string, string>;
}

export class DeploymentEvents {
  readonly #caches: ViewCaches;
  readonly #live: LiveFeed;
  readonly #heartbeatMs: number;
  /** By `NAMESPACE/NAME` of the key. */
  readonly #audiences = new Map<string, Audience>();
  /** The same by the namespace of the key. */
  readonly #byNamespace = new Map<string, Set<Audience>>();
  /** Summaries of this tick that still hold, by viewer and key of the deployment: all readers share them. */
  readonly #texts = new Map<string, Map<string, string>>();
  #timer: NodeJS.Timeout | undefined;
  #heartbeats: NodeJS.Timeout | undefined;

  /** Follows the caches from now on: call it before they are started. */
  constructor(options: { caches: ViewCaches; live: LiveFeed; heartbeatMs: number }) {
    const { caches, live } = options;
    this.#caches = caches;
    this.#live = live;
    this.#heartbeatMs = options.heartbeatMs;
    caches.inferenceDeployments.onChange(({ object, previous }) => this.#note(object, previous));
    caches.apiKeys.onChange(({ type, object, previous }) => this.#keyChanged(type === 'deleted', object, previous));
    live.onLive((uids) => {
      if (this.#audiences.size === 0) return;
      for (const uid of uids) {
        for (const resource of caches.inferenceDeployments.byIndex('uid', uid)) this.#note(resource);
      }
    });
  }

  /**
   * Streams to the client until it goes, the key ends, `endsAtMs` (Unix milliseconds) or close(); `detail` is the deployment
   * to tell all of.
   */
  async follow(
    client: ClientResponse,
    key: AuthenticatedKey,
    { detail, endsAtMs }: { detail: InferenceDeployment | undefined; endsAtMs: number | undefined },
  ): Promise<void> {
    const { namespace = '', name = '', uid = '' } = detail?.metadata ?? {};
    const lookedAt = detail && { namespace, name, uid, toldDetail: '', toldSampleMs: 0 };
    const audience = this.#audienceOf(key);
    const reader = new Reader(client, { lookedAt, endsAtMs }, () => this.#leave(audience, reader));
    audience.readers.add(reader);
    reader.endLook = this.#live.look({ namespace: key.namespace, ...(lookedAt && { detail: uid, withHistory: true }) });
    client.startStream();
    await reader.begin(async () => {
      await this.#live.answered();
      if (reader.ended) return;
      await reader.writeList('list', this.#summaries(audience));
      if (!reader.ended) this.#tellLookedAt(reader, audience, new Map(), true);
    });
  }

  /** Ends all streams. */
  close(): void {
    for (const audience of this.#audiences.values()) this.#end(audience);
  }

  *#summaries(audience: Audience): Generator<string> {
    for (const resource of visibleTo(audience.key, this.#caches)) yield this.#summary(resource, audience);
  }

  #summary(resource: InferenceDeployment, { viewer }: Audience): string {
    const name = `${viewer.namespace} ${viewer.isAdmin}`;
    const texts = this.#texts.get(name) ?? new Map<string, string>();
    this.#texts.set(name, texts);
    const key = objectKey(resource.metadata);
    let text = texts.get(key);
    if (text === undefined) {
      text = JSON.stringify(summaryOf(resource, viewer, this.#live.live(resource.metadata.uid ?? '')));
      texts.set(key, text);
    }
    return text;
  }

  #note(object: InferenceDeployment, previous?: InferenceDeployment): void {
    if (this.#audiences.size === 0) return;
    for (const texts of this.#texts.values()) texts.delete(objectKey(object.metadata));
    for (const namespace of new Set([...reachedFrom(object), ...(previous ? reachedFrom(previous) : [])])) {
      for (const audience of this.#byNamespace.get(namespace) ?? []) {
        const { reach, changed } = audience;
        if (reach(object) || (previous && reach(previous))) changed.add(objectKey(object.metadata));
      }
    }
  }

  /** A key that may do something else than before, or nothing any more, begins anew. */
  #keyChanged(isDeleted: boolean, object: APIKey, previous: APIKey | undefined): void {
    const audience = this.#audiences.get(objectKey(object.metadata));
    if (audience === undefined) return;
    if (isDeleted || JSON.stringify(object.spec) !== JSON.stringify(previous?.spec)) this.#end(audience);
  }

  #tick(): void {
    const now = new Date();
    this.#texts.clear();
    for (const audience of this.#audiences.values()) {
      const resource = this.#caches.apiKeys.get(audience.key);
      if (resource === undefined || !isValid(resource, now)) {
        this.#end(audience);
        continue;
      }
      const { changed } = audience;
      const words = { events: changed.size > MAX_SHARED ? [] : this.#eventsOf(changed, audience), details: new Map() };
      for (const reader of audience.readers) {
        // Ended, it leaves the audience.
        if (now.getTime() >= reader.endsAtMs) this.#dismiss(reader, audience);
        else this.#tell(reader, audience, words);
      }
      changed.clear();
    }
  }

  #tell(reader: Reader, audience: Audience, { events, details }: Words): void {
    const { backlog } = reader;
    const isShared = reader.ready && backlog.size === 0 && audience.changed.size <= MAX_SHARED;
    if (isShared) {
      for (const event of events) reader.write(event);
    } else {
      for (const key of audience.changed) backlog.add(key);
    }
    if (!reader.ready) return;
    // First what is long takes its turn; what it looks at comes with the next tick.
    if (backlog.size > 0) return void this.#tellBacklog(reader, audience);
    this.#tellLookedAt(reader, audience, details, false);
  }

  async #tellBacklog(reader: Reader, audience: Audience): Promise<void> {
    const { there, gone } = this.#sorted(reader.backlog, audience);
    reader.backlog.clear();
    if (gone.length > 0) reader.write(eventOf('removed', JSON.stringify({ ids: gone })));
    // As they are when their turn comes.
    const summaries = there.map((resource) => () => this.#summary(resource, audience));
    if (there.length > 0)
      await reader.writeList(
        'changed',
        summaries.values().map((make) => make()),
      );
  }

  #eventsOf(changed: ReadonlySet<string>, audience: Audience): Buffer[] {
    const { there, gone } = this.#sorted(changed, audience);
    const summaries = there.map((resource) => this.#summary(resource, audience));
    return [
      ...(gone.length > 0 ? [eventOf('removed', JSON.stringify({ ids: gone }))] : []),
      ...(there.length > 0 ? [eventOf('changed', `{"data":[${summaries.join(',')}]}`)] : []),
    ];
  }

  /** What of these the audience sees, and the ids of what it saw and sees no more. */
  #sorted(keys: Iterable<string>, { reach, viewer }: Audience): { there: InferenceDeployment[]; gone: string[] } {
    const there: InferenceDeployment[] = [];
    const gone: string[] = [];
    for (const key of keys) {
      const { namespace, name } = parseKey(key);
      const resource = this.#caches.inferenceDeployments.get({ namespace: namespace ?? '', name });
      if (resource !== undefined && reach(resource)) there.push(resource);
      else gone.push(namespace === viewer.namespace ? name : key);
    }
    return { there, gone };
  }

  #tellLookedAt(
    reader: Reader,
    { viewer, reach, key }: Audience,
    details: Map<string, string>,
    isFirst: boolean,
  ): void {
    const { lookedAt } = reader;
    const resource = lookedAt && this.#caches.inferenceDeployments.get(lookedAt);
    if (lookedAt === undefined || resource === undefined || !reach(resource)) return;
    const { uid = '' } = resource.metadata;
    if (uid !== lookedAt.uid) {
      // Deleted and made again under its name.
      reader.endLook();
      reader.endLook = this.#live.look({ namespace: key.namespace, detail: uid, withHistory: true });
      lookedAt.uid = uid;
    }
    const live = this.#live.live(uid);
    let still = details.get(uid);
    if (still === undefined) {
      still = JSON.stringify({ ...detailOf(resource, viewer, live), live: null });
      details.set(uid, still);
    }
    if (still !== lookedAt.toldDetail) {
      lookedAt.toldDetail = still;
      reader.write(eventOf('detail', JSON.stringify(detailOf(resource, viewer, live))));
    }
    const id = idOf(resource, viewer.namespace);
    if (isFirst) {
      reader.write(eventOf('history', JSON.stringify({ id, samples: this.#live.history(uid).map(liveOf) })));
    }
    if (live === undefined || live.sample.timeMs === lookedAt.toldSampleMs) return;
    lookedAt.toldSampleMs = live.sample.timeMs;
    reader.write(eventOf('sample', JSON.stringify({ id, sample: liveOf(live.sample) })));
  }

  #audienceOf(key: AuthenticatedKey): Audience {
    const name = objectKey(key);
    const known = this.#audiences.get(name);
    if (known !== undefined) return known;
    const reach = reachOf(key, this.#caches.apiKeys.get(key));
    const audience = { key, viewer: viewerOf(key), reach, readers: new Set<Reader>(), changed: new Set<string>() };
    this.#audiences.set(name, audience);
    const others = this.#byNamespace.get(key.namespace) ?? new Set();
    this.#byNamespace.set(key.namespace, others.add(audience));
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    this.#heartbeats ??= setInterval(() => this.#heartbeat(), this.#heartbeatMs);
    return audience;
  }

  #heartbeat(): void {
    for (const { readers } of this.#audiences.values()) for (const reader of readers) reader.heartbeat();
  }

  #end(audience: Audience): void {
    for (const reader of audience.readers) this.#dismiss(reader, audience);
  }

  #dismiss(reader: Reader, audience: Audience): void {
    reader.end();
    this.#leave(audience, reader);
  }

  #leave(audience: Audience, reader: Reader): void {
    if (!audience.readers.delete(reader)) return;
    reader.endLook();
    if (audience.readers.size > 0) return;
    const { namespace } = audience.key;
    this.#audiences.delete(objectKey(audience.key));
    const others = this.#byNamespace.get(namespace);
    others?.delete(audience);
    if (others?.size === 0) this.#byNamespace.delete(namespace);
    if (this.#audiences.size > 0) return;
    this.#texts.clear();
    clearInterval(this.#timer);
    clearInterval(this.#heartbeats);
    this.#timer = undefined;
    this.#heartbeats = undefined;
  }
}
