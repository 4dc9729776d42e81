/**
 * What the leader tells of the load over all gateways, for as long as somebody looks at it here. Without a leader, or with
 * one of before, nothing is known and everything else goes on.
 */
import {
  MAX_HISTORY,
  MAX_WATCHED_DETAILS,
  MAX_WATCHED_NAMESPACES,
  type Heartbeat,
  type LiveDeployment,
  type LiveSample,
  type Watch,
} from '../../channel/messages.ts';

/** The leader tells every second; what is older than this is not shown. */
const FRESH_MS = 5_000;
/** What nobody looks at any more is watched for a while: programs ask again and again. */
const LINGER_MS = 15_000;
/** For the answer to a new watch: both ends put off up to 200 ms what they say often, the rest takes milliseconds. */
const ANSWER_MS = 500;
/** A leader that tells of more is none. */
const MAX_TOLD = 20_000;
/** Samples that are kept are 5 s apart, as the leader's are; those that come each second are late by a hair. */
const HISTORY_STEP_MS = 4_500;

/** Something that is looked at. */
interface Watched {
  readers: number;
  linger: NodeJS.Timeout | undefined;
}

/** What is looked at: the deployments that keys of a namespace may reach, and one in full. */
export interface Looks {
  readonly namespace: string;
  /** UID. */
  readonly detail?: string;
  /** The last 15 minutes of `detail` are looked at, too. */
  readonly withHistory?: boolean;
}

export class LiveFeed {
  readonly #namespaces = new Map<string, Watched>();
  readonly #details = new Map<string, Watched>();
  /** Those of the details whose last 15 minutes are shown. */
  readonly #withHistory = new Map<string, Watched>();
  /** Counted up whenever the keys of the three differ. */
  #version = 1;
  #answered = 0;
  #leaders = 0;
  /** A leader has told live figures, and not failed to since: one of before never does. */
  #tells = false;
  /** Of the last whole answer, and what of the next has come. */
  #live = new Map<string, LiveDeployment>();
  #coming = new Map<string, LiveDeployment>();
  #stale: NodeJS.Timeout | undefined;
  /** The last 15 minutes of those that are watched with them, oldest first. */
  readonly #histories = new Map<string, LiveSample[]>();
  readonly #onChange = new Set<() => void>();
  readonly #onAnswer = new Set<() => void>();
  readonly #onLive = new Set<(uids: ReadonlySet<string>) => void>();

  /** Returns what to tell leaders. */
  get watch(): Watch {
    return {
      version: this.#version,
      namespaces: [...this.#namespaces.keys()].slice(0, MAX_WATCHED_NAMESPACES),
      details: [...this.#details.keys()].slice(0, MAX_WATCHED_DETAILS),
      histories: [...this.#withHistory.keys()].slice(0, MAX_WATCHED_DETAILS),
    };
  }

  /** So many leaders listen. */
  set leaders(count: number) {
    this.#leaders = count;
    if (count === 0) this.#tells = false;
  }

  /** Calls `listener` whenever `watch` differs. */
  onWatchChange(listener: () => void): void {
    this.#onChange.add(listener);
  }

  /** Calls `listener` with the UIDs of which something else is known than before, once a second. Returns how to stop that. */
  onLive(listener: (uids: ReadonlySet<string>) => void): () => void {
    this.#onLive.add(listener);
    return () => void this.#onLive.delete(listener);
  }

  /** Has these figures told from now on; returns how to stop that. */
  look({ namespace, detail, withHistory = false }: Looks): () => void {
    const ends = [this.#begin(this.#namespaces, namespace)];
    if (detail !== undefined) ends.push(this.#begin(this.#details, detail));
    if (detail !== undefined && withHistory) {
      ends.push(this.#begin(this.#withHistory, detail, () => this.#histories.delete(detail)));
    }
    return () => ends.forEach((end) => end());
  }

  /** Resolves when a leader has told what is looked at now, there is none that tells, or it takes too long. */
  async answered(): Promise<void> {
    const version = this.#version;
    if (this.#answered >= version || this.#leaders === 0 || !this.#tells) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const listener = (): void => {
      if (this.#answered >= version) resolve(undefined);
    };
    const timer = setTimeout(() => {
      this.#tells = false;
      resolve(undefined);
    }, ANSWER_MS);
    this.#onAnswer.add(listener);
    await promise;
    clearTimeout(timer);
    this.#onAnswer.delete(listener);
  }

  /** Returns what is known of a deployment now. */
  live(uid: string): LiveDeployment | undefined {
    return this.#live.get(uid);
  }

  /** Returns the last 15 minutes of a deployment that is looked at in full, as far as they are known, oldest first. */
  history(uid: string): readonly LiveSample[] {
    return this.#histories.get(uid) ?? [];
  }

  /** Takes what a leader tells. */
  heard({ live }: Heartbeat): void {
    if (live === undefined) return;
    // Also of nothing it is told once when a leader comes.
    this.#tells = true;
    for (const deployment of live.deployments) this.#coming.set(deployment.uid, deployment);
    if (this.#coming.size > MAX_TOLD) this.#coming.clear();
    if (live.more) return;
    const told = this.#coming;
    this.#coming = new Map();
    this.#answered = Math.max(this.#answered, Math.min(live.watch, this.#version));
    for (const [uid, deployment] of told) this.#remember(uid, deployment);
    this.#take(told);
    for (const listener of this.#onAnswer) listener();
    clearTimeout(this.#stale);
    if (told.size > 0) this.#stale = setTimeout(() => this.#take(new Map()), FRESH_MS).unref();
  }

  #take(live: Map<string, LiveDeployment>): void {
    const before = this.#live;
    this.#live = live;
    const changed = new Set<string>();
    for (const uid of before.keys()) if (!live.has(uid)) changed.add(uid);
    for (const [uid, { sample }] of live) if (!isSame(sample, before.get(uid)?.sample)) changed.add(uid);
    for (const listener of this.#onLive) listener(changed);
  }

  #remember(uid: string, { sample, history }: LiveDeployment): void {
    if (!this.#withHistory.has(uid)) return;
    const known = this.#histories.get(uid) ?? [];
    // Another leader knows of no more than the time since it leads.
    const kept = history !== undefined && history.length > known.length ? [...history] : known;
    this.#histories.set(uid, kept);
    if (sample.timeMs - (kept.at(-1)?.timeMs ?? 0) < HISTORY_STEP_MS) return;
    kept.push(sample);
    if (kept.length > MAX_HISTORY) kept.shift();
  }

  #begin(watched: Map<string, Watched>, what: string, onEnd?: () => void): () => void {
    let known = watched.get(what);
    if (known === undefined) {
      watched.set(what, (known = { readers: 0, linger: undefined }));
      this.#changed();
    }
    const { linger } = known;
    clearTimeout(linger);
    known.readers += 1;
    const begun = known;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      begun.readers -= 1;
      if (begun.readers > 0) return;
      begun.linger = setTimeout(() => {
        watched.delete(what);
        onEnd?.();
        this.#changed();
      }, LINGER_MS).unref();
    };
  }

  #changed(): void {
    this.#version += 1;
    for (const listener of this.#onChange) listener();
  }
}

/** Whether the two show the same but for their time. */
function isSame(one: LiveSample, other: LiveSample | undefined): boolean {
  return other !== undefined && JSON.stringify({ ...one, timeMs: 0 }) === JSON.stringify({ ...other, timeMs: 0 });
}
