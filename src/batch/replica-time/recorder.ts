/** Keeps what replicas have run and cost by the hour, from the status of their deployments. */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { pause } from '../../kube/backoff.ts';
import { describeError } from '../../kube/errors.ts';
import type { Informer } from '../../kube/informer.ts';
import type { Logger } from '../../kube/types.ts';
import type { ClockWatch } from '../clock-watch.ts';
import type { ReplicaTimeRecords } from './records.ts';
import { ReplicaTimeSums, type ReplicaTimeRange, type ReplicaTimeRow } from './rows.ts';
import { firstSnapshot, latest, snapshotOf, type Snapshot } from './snapshots.ts';

const HOUR_SECONDS = 3_600;
const DAY_SECONDS = 86_400;
/** What could not be written is tried again, and a new hour is looked for. */
const TICK_MS = 60_000;

export interface RecorderOptions {
  readonly deployments: Pick<Informer<InferenceDeployment>, 'list' | 'onChange'>;
  readonly records: ReplicaTimeRecords;
  /** In Unix milliseconds. */
  readonly now: () => number;
  /** Of the same clock. */
  readonly clock: Pick<ClockWatch, 'isSteady'>;
  readonly logger: Logger;
}

/** What is known of the deployments of a namespace. */
interface Known {
  /** Whoever was created from then on (Unix seconds) and has no snapshot has not been seen before. */
  readonly from: number;
  /** The last snapshot of each by UID, and whether it is kept or on its way. */
  readonly last: Map<string, { snapshot: Snapshot; kept: boolean }>;
}

export class ReplicaTimeRecorder {
  readonly #options: RecorderOptions;
  readonly #stop = new AbortController();
  /** By namespace, once read. */
  readonly #known = new Map<string, Known>();
  /** What is to be written, by namespace and day. */
  readonly #pending = new Map<string, Map<number, Snapshot[]>>();
  /** Those that have gone and whose last sums are not taken yet, and when that was. */
  readonly #gone: { deployment: InferenceDeployment; at: number }[] = [];
  /** One after the other: each reads an object and writes it again. */
  #work: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  /** Of the last sums that were taken. */
  #hour: number | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    options.deployments.onChange(({ type, object: deployment }) => {
      // What is kept already must do where nobody knows when it went.
      if (type !== 'deleted' || !options.clock.isSteady()) return;
      this.#gone.push({ deployment, at: this.#seconds() });
      void this.#queue(async () => await this.#takeGone());
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
   * Takes the sums if an hour has begun since the last time, or nothing was taken yet, and writes what is to be written.
   * Nothing is taken while the clock is not to be believed: sums of a time to come would stay.
   */
  async tick(): Promise<void> {
    const hour = Math.floor(this.#seconds() / HOUR_SECONDS);
    if (this.#options.clock.isSteady()) {
      if (this.#gone.length > 0) await this.#queue(async () => await this.#takeGone());
      if (hour !== this.#hour) {
        await this.#queue(async () => await this.#takeAll(hour));
        await this.#queue(async () => await this.#options.records.tidy(this.#seconds(), this.#stop.signal));
      }
    }
    if (this.#pending.size > 0) await this.#queue(async () => await this.#flush());
  }

  /**
   * Returns time and cost of the namespace's deployments by bucket, from `start` to `end` (Unix seconds) or until now.
   * Throws StoreUnavailable, and TooMuchUsage beyond `mostRows` or `mostBytes` that are read.
   */
  async rows(namespace: string, range: ReplicaTimeRange & { readonly mostBytes: number }): Promise<ReplicaTimeRow[]> {
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

  /** Takes the sums of all at the beginning of the hour; where that fails, the next tick does. */
  async #takeAll(hour: number): Promise<void> {
    if (this.#hour !== undefined && hour < this.#hour) {
      // What was taken ahead of time is to be passed over here as well as by whoever reads it.
      await this.#flush();
      this.#known.clear();
    }
    // The first may be at any time: what was before is not to be spread over what comes.
    const at = this.#hour === undefined ? this.#seconds() : hour * HOUR_SECONDS;
    const present = this.#options.deployments.list();
    for (const deployment of present) await this.#take(deployment, at);
    this.#hour = hour;
    if (this.#gone.length === 0) this.#forgetAllBut(new Set(present.map(({ metadata: { uid = '' } }) => uid)));
    await this.#flush();
  }

  async #takeGone(): Promise<void> {
    for (let next = this.#gone[0]; next !== undefined; next = this.#gone[0]) {
      await this.#take(next.deployment, next.at);
      this.#gone.shift();
    }
    await this.#flush();
  }

  async #take(deployment: InferenceDeployment, at: number): Promise<void> {
    const { namespace = '', uid = '' } = deployment.metadata;
    const known = await this.#knownOf(namespace, at);
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
    ofNamespace.set(dayOf(snapshot.at), [...(ofNamespace.get(dayOf(snapshot.at)) ?? []), ...added]);
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
    this.#known.set(namespace, { from, last });
    return { from, last };
  }

  async #flush(): Promise<void> {
    for (const [namespace, days] of this.#pending) {
      for (const [day, snapshots] of days) {
        await this.#options.records.add(namespace, day * DAY_SECONDS, snapshots);
        days.delete(day);
      }
      this.#pending.delete(namespace);
    }
  }

  async #queue(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#options.logger.warn(
        { error: describeError(error) },
        'the time of replicas could not be kept; it is tried again',
      );
    });
    await this.#work;
  }

  #seconds(): number {
    return Math.floor(this.#options.now() / 1_000);
  }
}

/** Days since 1970. */
function dayOf(at: number): number {
  return Math.floor(at / DAY_SECONDS);
}
