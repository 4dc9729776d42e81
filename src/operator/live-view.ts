/**
 * Pure: the live figures of deployments over all gateways, as pages show them, and those of the last 15 minutes. Kept only
 * for deployments that had requests within that time.
 */
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { LoadView, ReplicaLoad } from '../autoscaler/load-view.ts';
import { MAX_HISTORY, type LiveDeployment, type LiveSample } from '../channel/messages.ts';

/** Between two samples that are kept: MAX_HISTORY of them are 15 minutes. */
export const HISTORY_STEP_MS = 5_000;
const KEPT_MS = MAX_HISTORY * HISTORY_STEP_MS;
/** Of those with the latest requests; a sample takes about 170 bytes, so that all take 30 MB. */
const MAX_KEPT = 1_000;
/** As a line has it: gateways are hostile, and one that says too much must not make it one that others refuse. */
const MAX_RATE = 1e9;
/** As many as a line names. */
const MAX_REPLICAS = 1_000;

/** One moment, by both clocks: `nowMs` never goes back, `timeMs` is Unix time. */
export interface Moment {
  nowMs: number;
  timeMs: number;
}

interface Kept {
  activeAtMs: number;
  /** Oldest first. */
  samples: LiveSample[];
}

export class LiveView {
  readonly #load: Pick<LoadView, 'active' | 'held' | 'recentTraffic' | 'replicas'>;
  readonly #find: (uid: string) => InferenceDeployment | undefined;
  /** By UID, the one without requests for longest first. */
  readonly #kept = new Map<string, Kept>();

  /** `find` returns the deployment of a UID as it is now. */
  constructor(
    load: Pick<LoadView, 'active' | 'held' | 'recentTraffic' | 'replicas'>,
    find: (uid: string) => InferenceDeployment | undefined,
  ) {
    this.#load = load;
    this.#find = find;
  }

  /** Keeps a sample of each deployment that had requests in the last 15 minutes; call it every HISTORY_STEP_MS. */
  keep(moment: Moment): void {
    this.notice(moment.nowMs);
    for (const [uid, { activeAtMs, samples }] of this.#kept) {
      const sample = moment.nowMs - activeAtMs > KEPT_MS ? undefined : this.#sample(uid, moment);
      if (sample === undefined) {
        this.#kept.delete(uid);
        continue;
      }
      samples.push(sample);
      if (samples.length > MAX_HISTORY) samples.shift();
    }
  }

  /** Takes in which deployments have requests at `nowMs`. */
  notice(nowMs: number): void {
    for (const uid of this.#load.active(nowMs)) {
      const kept = this.#kept.get(uid) ?? { activeAtMs: nowMs, samples: [] };
      kept.activeAtMs = nowMs;
      this.#kept.delete(uid);
      this.#kept.set(uid, kept);
      if (this.#kept.size > MAX_KEPT) this.#kept.delete(this.#kept.keys().next().value ?? '');
    }
  }

  /** Returns the deployments that had requests in the last 15 minutes. */
  active(): InferenceDeployment[] {
    return [...this.#kept.keys()].flatMap((uid) => this.#find(uid) ?? []);
  }

  /** Returns the figures of a deployment now, also of one at rest; undefined where there is none of the UID. */
  summary(uid: string, moment: Moment): LiveDeployment | undefined {
    const sample = this.#sample(uid, moment);
    return sample && { uid, sample };
  }

  /** Returns the same with its replicas. */
  detail(uid: string, moment: Moment): LiveDeployment | undefined {
    const sample = this.#sample(uid, moment);
    if (sample === undefined) return undefined;
    const replicas = [...this.#load.replicas(uid, moment.nowMs)].slice(0, MAX_REPLICAS);
    return {
      uid,
      sample,
      replicas: replicas.map(([podUid, { inFlight, gauges }]) => ({ podUid, inFlight: bounded(inFlight), ...gauges })),
    };
  }

  /** Returns what is kept of the deployment, oldest first. */
  history(uid: string): LiveSample[] {
    return [...(this.#kept.get(uid)?.samples ?? [])];
  }

  #sample(uid: string, { nowMs, timeMs }: Moment): LiveSample | undefined {
    const resource = this.#find(uid);
    if (resource === undefined) return undefined;
    const { ready = 0, desired = 0 } = resource.status?.replicas ?? {};
    const { requestsPerSecond, ...latencies } = this.#load.recentTraffic(uid, nowMs);
    const { latencyP50Ms, latencyP95Ms, firstByteP95Ms } = latencies;
    const replicas = [...this.#load.replicas(uid, nowMs).values()];
    const kvCacheUsage = meanUsage(replicas);
    return {
      timeMs,
      requestsPerSecond: Math.min(requestsPerSecond, MAX_RATE),
      ...(latencyP50Ms !== undefined && { latencyP50Ms }),
      ...(latencyP95Ms !== undefined && { latencyP95Ms }),
      ...(firstByteP95Ms !== undefined && { firstByteP95Ms }),
      inFlight: bounded(replicas.reduce((sum, { inFlight }) => sum + inFlight, 0)),
      queued: bounded(this.#load.held(uid)),
      ...(kvCacheUsage !== undefined && { kvCacheUsage }),
      replicasReady: ready,
      replicasDesired: desired,
    };
  }
}

function bounded(count: number): number {
  return Math.min(count, Number.MAX_SAFE_INTEGER);
}

function meanUsage(replicas: readonly ReplicaLoad[]): number | undefined {
  const usages = replicas.flatMap(({ gauges }) => gauges?.kvCacheUsage ?? []);
  return usages.length === 0 ? undefined : usages.reduce((sum, usage) => sum + usage, 0) / usages.length;
}
