/** Keeps what replicas have run and cost by the hour, from the status of their deployments. */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { pause } from '../../kube/backoff.ts';
import { describeError } from '../../kube/errors.ts';
import type { Informer } from '../../kube/informer.ts';
import type { Logger } from '../../kube/types.ts';
import type { ClockWatch } from '../clock-watch.ts';
import type { ReplicaTimeRecords } from './records.ts';
import { ReplicaTimeSums, type ReplicaTimeRange, type ReplicaTimeRow } from './rows.ts';
import { firstSnapshot, latest, snapshotOf, type CountedDeployment, type Snapshot } from './snapshots.ts';

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
/** What could not be written is tried again, and a new hour or namespace is looked for. */
const TICK_MS = 60_000;
/** Deployments that have gone and whose last sums wait for the store, some KB each. */
const MOST_GONE = 10_000;

export interface RecorderOptions {
  readonly deployments: Pick<Informer<InferenceDeployment>, 'list' | 'onChange'>;
  readonly records: ReplicaTimeRecords;
  /** In Unix milliseconds. */
  readonly now: () => number;
  /** Of the same clock. */
  readonly clock: Pick<ClockWatch, 'isSteady'>;
  readonly logger: Logger;
}

interface AnsweredRange extends ReplicaTimeRange {
  readonly mostBytes: number;
  readonly signal: AbortSignal;
}

/** What is known of the deployments of a namespace. */
interface Known {
  /** Whoever was created from then on (Unix seconds) and has no snapshot has not been seen before. */
  readonly from: number;
  /** The last snapshot of each by UID, and whether it is kept or on its way. */
  readonly last: Map<string, { snapshot: Snapshot; kept: boolean }>;
  /** In which the sums of all were taken last. */
  hour?: number;
}

interface Gone {
  readonly deployment: CountedDeployment;
  readonly at: number;
}

export class ReplicaTimeRecorder {
  readonly #options: RecorderOptions;
  readonly #stop = new AbortController();
  /** By namespace, once read. */
  readonly #known = new Map<string, Known>();
  /** What is to be written, by namespace and day. */
  readonly #pending = new Map<string, Map<number, Snapshot[]>>();
  /** Those that have gone and whose last sums are not taken yet, and when that was. */
  readonly #gone = new Set<Gone>();
  /** Where it has not begun. */
  #takingGone: Promise<void> | undefined;
  /** One after the other: each reads an object and writes it again. */
  #work: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  /** Of the last tick that took sums. */
  #hour: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    options.deployments.onChange(({ type, object: { metadata, status } }) => {
      // What is kept already must do where nobody knows when it went.
      if (type !== 'deleted' || !options.clock.isSteady()) return;
      this.#addGone({ deployment: { metadata, ...(status && { status }) }, at: this.#seconds() });
      void this.#queueGone();
    });
  }

  /** The deployments must have been listed. */
  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the recorder was stopped'));
    await this.#running;
    await this.#work;
  }

  /**
   * Takes the sums of each namespace if an hour has begun since the last time, or nothing was taken yet, and writes what is
   * to be written.
   * Nothing is taken while the clock is not to be believed: sums of a time to come would stay.
   */
  async tick(): Promise<void> {
    const hour = Math.floor(this.#seconds() / HOUR_SECONDS);
    if (this.#options.clock.isSteady()) {
      if (this.#gone.size > 0) await this.#queueGone();
      const hasBegun = hour !== this.#hour;
      await this.#queue(async () => await this.#takeAll(hour));
      if (hasBegun) {
        await this.#queue(async () => await this.#options.records.tidy(this.#seconds(), this.#stop.signal));
      }
    }
    if (this.#pending.size > 0) await this.#queue(async () => await this.#flush());
  }

  /**
   * Returns time and cost of the namespace's deployments by bucket, from `start` to `end` (Unix seconds) or until now.
   * Throws StoreUnavailable, TooMuchUsage beyond `mostRows` or `mostBytes` of one day, and the signal's reason.
   */
  async rows(namespace: string, range: AnsweredRange): Promise<ReplicaTimeRow[]> {
    const { clock, deployments, records } = this.#options;
    const now = this.#seconds();
    // Before the store is read: what is written meanwhile is in neither otherwise.
    const pending = [...(this.#pending.get(namespace)?.values() ?? [])].flat();
    const sums = new ReplicaTimeSums(range);
    for await (const day of records.read(namespace, { ...range, now })) sums.add(day);
    sums.add(pending);
    const known = this.#known.get(namespace);
    // A namespace of which nothing was taken yet will be told when that is done.
    if (known === undefined || !clock.isSteady()) return sums.rows();
    for (const deployment of deployments.list(namespace)) {
      const { uid = '' } = deployment.metadata;
      const before = known.last.get(uid)?.snapshot ?? firstSnapshot(deployment, now, known.from);
      sums.add([before, snapshotOf(deployment, before, now)]);
    }
    return sums.rows();
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.tick();
      await pause(TICK_MS, this.#stop.signal);
    }
  }

  /** Those that go together are taken together. */
  async #queueGone(): Promise<void> {
    this.#takingGone ??= this.#queue(async () => {
      this.#takingGone = undefined;
      await this.#takeGone();
    });
    await this.#takingGone;
  }

  #addGone(gone: Gone): void {
    this.#gone.add(gone);
    const [oldest] = this.#gone;
    if (oldest === undefined || this.#gone.size <= MOST_GONE) return;
    this.#gone.delete(oldest);
    const { namespace, name } = oldest.deployment.metadata;
    this.#options.logger.error({ namespace, name }, 'the last time of a deployment that was deleted is lost');
  }

  /**
   * Takes the sums of all at the beginning of the hour, and now of namespaces that have come since, or whose turn failed.
   */
  async #takeAll(hour: number): Promise<void> {
    const at = this.#hour === undefined || this.#hour === hour ? this.#seconds() : hour * HOUR_SECONDS;
    const present = this.#options.deployments.list();
    for (const [namespace, deployments] of Map.groupBy(present, ({ metadata }) => metadata.namespace ?? '')) {
      const taken = this.#known.get(namespace)?.hour;
      if (taken === hour) continue;
      await this.#tryFor(namespace, async () => {
        if (taken !== undefined && hour < taken) {
          // What was taken ahead of time is to be passed over here as well as by whoever reads it.
          await this.#write(namespace);
          this.#known.delete(namespace);
        }
        const known = await this.#knownOf(namespace, at);
        for (const deployment of deployments) this.#take(known, deployment, at);
        known.hour = hour;
      });
    }
    this.#hour = hour;
    const gone = [...this.#gone].map(({ deployment }) => deployment);
    this.#forgetAllBut(new Set([...present, ...gone].map(({ metadata: { uid = '' } }) => uid)));
    await this.#flush();
  }

  async #takeGone(): Promise<void> {
    const failed = new Set<string>();
    for (const gone of this.#gone) {
      const { deployment, at } = gone;
      const { namespace = '' } = deployment.metadata;
      if (failed.has(namespace)) continue;
      const isTaken = await this.#tryFor(namespace, async () => {
        const known = await this.#knownOf(namespace, at);
        this.#beginDay(namespace, known, dayOf(at));
        this.#take(known, deployment, at);
      });
      if (isTaken) this.#gone.delete(gone);
      else failed.add(namespace);
    }
    await this.#flush();
  }

  /** Nobody looks behind a day that has any snapshots: one that had this one alone would end what is known of the others. */
  #beginDay(namespace: string, known: Known, day: number): void {
    if ([...known.last.values()].some(({ snapshot }) => dayOf(snapshot.at) >= day)) return;
    const at = Math.min(this.#seconds(), (day + 1) * DAY_SECONDS - 1);
    for (const deployment of this.#options.deployments.list(namespace)) this.#take(known, deployment, at);
  }

  #take(known: Known, deployment: CountedDeployment, at: number): void {
    const { namespace = '', uid = '' } = deployment.metadata;
    const earlier = known.last.get(uid);
    const before = earlier?.snapshot ?? firstSnapshot(deployment, at, known.from);
    const snapshot = snapshotOf(deployment, before, at);
    const hasRun = snapshot.replicaSeconds !== before.replicaSeconds || snapshot.gpuSeconds !== before.gpuSeconds;
    // Each day has one of each that was there, so that whoever reads needs no day before the last one.
    const kept = earlier === undefined || hasRun || dayOf(snapshot.at) !== dayOf(before.at);
    known.last.set(uid, { snapshot, kept });
    if (!kept) return;
    // Without the one before what ran now would be spread over all the time in which nothing did.
    const added = hasRun && earlier?.kept !== true ? [before, snapshot] : [snapshot];
    const ofNamespace = this.#pending.get(namespace) ?? new Map<number, Snapshot[]>();
    this.#pending.set(namespace, ofNamespace);
    const ofDay = ofNamespace.get(dayOf(snapshot.at)) ?? [];
    ofNamespace.set(dayOf(snapshot.at), ofDay);
    ofDay.push(...added);
  }

  #forgetAllBut(uids: ReadonlySet<string>): void {
    for (const { last } of this.#known.values()) {
      for (const uid of last.keys()) if (!uids.has(uid)) last.delete(uid);
    }
  }

  async #knownOf(namespace: string, at: number): Promise<Known> {
    const known = this.#known.get(namespace);
    if (known !== undefined) return known;
    const read = latest(await this.#options.records.last(namespace, at));
    const newest = Math.max(0, ...[...read.values()].map((snapshot) => snapshot.at));
    const yesterday = at - DAY_SECONDS;
    const from = newest === 0 ? yesterday : Math.min(yesterday, dayOf(newest) * DAY_SECONDS);
    const last = new Map([...read].map(([uid, snapshot]) => [uid, { snapshot, kept: true }]));
    const begun = { from, last };
    this.#known.set(namespace, begun);
    return begun;
  }

  async #flush(): Promise<void> {
    for (const namespace of this.#pending.keys()) {
      await this.#tryFor(namespace, async () => await this.#write(namespace));
    }
  }

  async #write(namespace: string): Promise<void> {
    const days = this.#pending.get(namespace) ?? [];
    for (const [day, snapshots] of days) {
      await this.#options.records.add(namespace, { at: day * DAY_SECONDS, now: this.#seconds() }, snapshots);
      this.#pending.get(namespace)?.delete(day);
    }
    this.#pending.delete(namespace);
  }

  /** What fails for one namespace holds up no other; the next tick tries it again. Returns false where it failed. */
  async #tryFor(namespace: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (this.#stop.signal.aborted) throw error;
      this.#warn(error, { namespace });
      return false;
    }
  }

  async #queue(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#warn(error);
    });
    await this.#work;
  }

  #warn(error: unknown, where: { namespace?: string } = {}): void {
    const told = { ...where, error: describeError(error) };
    this.#options.logger.warn(told, 'the time of replicas could not be kept; it is tried again');
  }

  #seconds(): number {
    return Math.floor(this.#options.now() / 1_000);
  }
}

/** Days since 1970. */
function dayOf(at: number): number {
  return Math.floor(at / DAY_SECONDS);
}
