/** Keeps what replicas have run and cost by the hour, from the status of their deployments. */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { pause } from '../../kube/backoff.ts';
import { describeError } from '../../kube/errors.ts';
import type { Informer } from '../../kube/informer.ts';
import type { Logger } from '../../kube/types.ts';
import type { ClockWatch } from '../clock-watch.ts';
import type { ReplicaTimeRecords } from './records.ts';
import { replicaTimeRows, type ReplicaTimeRow } from './rows.ts';
import { latest, snapshotOf, type Snapshot } from './snapshots.ts';

const HOUR_SECONDS = 3_600;
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

export class ReplicaTimeRecorder {
  readonly #options: RecorderOptions;
  readonly #stop = new AbortController();
  /** The last snapshot of each deployment by UID, and whether it is kept or on its way; by namespace, once read. */
  readonly #last = new Map<string, Map<string, { snapshot: Snapshot; kept: boolean }>>();
  /** What is to be written, by namespace. */
  readonly #pending = new Map<string, Snapshot[]>();
  /** One after the other: each reads an object and writes it again. */
  #work: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  #hour = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    options.deployments.onChange(({ type, object }) => {
      const at = this.#seconds();
      if (type === 'deleted') void this.#queue(async () => await this.#take([object], at));
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

  /** Takes the sums if an hour has begun since the last time, or nothing was taken yet, and writes what is to be written. */
  async tick(): Promise<void> {
    const hour = Math.floor(this.#seconds() / HOUR_SECONDS);
    const isFirst = this.#hour === 0;
    if (hour > this.#hour) {
      this.#hour = hour;
      // The first may be at any time: what was before is not to be spread over what comes.
      const at = isFirst ? this.#seconds() : hour * HOUR_SECONDS;
      await this.#queue(async () => await this.#take(this.#options.deployments.list(), at));
      if (this.#options.clock.isSteady()) {
        await this.#queue(async () => await this.#options.records.tidy(this.#seconds(), this.#stop.signal));
      }
    }
    if (this.#pending.size > 0) await this.#queue(async () => await this.#flush());
  }

  /**
   * Returns time and cost of the namespace's deployments by bucket, from `start` to `end` (Unix seconds) or until now.
   * Throws StoreUnavailable.
   */
  async rows(
    namespace: string,
    range: { start: number; end: number; bucketSeconds: number },
  ): Promise<ReplicaTimeRow[]> {
    const { deployments, records } = this.#options;
    const kept = [...(await records.read(namespace, range.start, range.end)), ...(this.#pending.get(namespace) ?? [])];
    const before = latest(kept);
    const at = this.#seconds();
    const present = deployments
      .list(namespace)
      .map((deployment) => snapshotOf(deployment, before.get(deployment.metadata.uid ?? ''), at));
    return replicaTimeRows([...kept, ...present], range);
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.tick();
      await pause(TICK_MS, this.#stop.signal);
    }
  }

  async #take(deployments: readonly InferenceDeployment[], at: number): Promise<void> {
    for (const deployment of deployments) {
      const { namespace = '', uid = '' } = deployment.metadata;
      const known = await this.#lastOf(namespace, at);
      const before = known.get(uid);
      const snapshot = snapshotOf(deployment, before?.snapshot, at);
      const hasRun = snapshot.replicaSeconds !== before?.snapshot.replicaSeconds;
      known.set(uid, { snapshot, kept: before === undefined || hasRun });
      if (before !== undefined && !hasRun) continue;
      // Without the one before what ran now would be spread over all the time in which nothing did.
      const added = before?.kept === false ? [before.snapshot, snapshot] : [snapshot];
      this.#pending.set(namespace, [...(this.#pending.get(namespace) ?? []), ...added]);
    }
    await this.#flush();
  }

  async #lastOf(namespace: string, at: number): Promise<Map<string, { snapshot: Snapshot; kept: boolean }>> {
    const known = this.#last.get(namespace);
    if (known !== undefined) return known;
    const read = latest(await this.#options.records.last(namespace, at));
    const last = new Map([...read].map(([uid, snapshot]) => [uid, { snapshot, kept: true }]));
    this.#last.set(namespace, last);
    return last;
  }

  async #flush(): Promise<void> {
    for (const [namespace, snapshots] of this.#pending) {
      const days = Map.groupBy(snapshots, ({ at }) => Math.floor(at / 86_400));
      for (const [day, ofDay] of days) await this.#options.records.add(namespace, day * 86_400, ofDay);
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
