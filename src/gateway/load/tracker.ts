/** What a gateway tells the leader: the load of the deployments that have some, at a cost that grows with those only. */
import type { ReportSource } from '../../channel/server.ts';
import type { DeploymentReport } from '../../channel/messages.ts';
import type { Deployment } from '../types.ts';
import { DeploymentLoad, type RequestTrack, type Standing } from './deployment-load.ts';

/** For this long after its last change a deployment is looked at for each report: reports to all leaders have it then. */
const RECENT_MS = 60_000;

export class LoadTracker implements ReportSource {
  readonly #now: () => number;
  /** When counting began. */
  readonly #since: number;
  readonly #loads = new Map<Deployment, DeploymentLoad>();
  /** Those that changed within RECENT_MS or are active. */
  readonly #recent = new Set<DeploymentLoad>();
  readonly #urgent = new Set<() => void>();
  #version = 0;
  #calling = false;

  /** `now` is a clock in milliseconds that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** Counts a request that arrives for the deployment. */
  arrive(deployment: Deployment): RequestTrack {
    return this.#loadOf(deployment).arrive(this.#now());
  }

  /** Takes a request of a batch. */
  arriveBatch(deployment: Deployment): RequestTrack {
    return this.#loadOf(deployment).arriveBatch();
  }

  /** Returns what there is of the deployment now. */
  standing(deployment: Deployment): Standing {
    const now = this.#now();
    const idle = { onlineHeld: 0, batchHeld: 0, onlineIdleMs: now - this.#since };
    return this.#loads.get(deployment)?.standing(now) ?? idle;
  }

  /** Has the deployment reported although it has no requests: its replicas' marks changed. */
  touch(deployment: Deployment): void {
    this.#changed(this.#loadOf(deployment), true);
  }

  /** An engine of the deployment was read: the next report tells, also where no request is left. */
  engineRead(deployment: Deployment): void {
    const load = this.#loads.get(deployment);
    if (load !== undefined) this.#changed(load, false);
  }

  /** The deployment has gone. */
  forget(deployment: Deployment): void {
    const load = this.#loads.get(deployment);
    if (load === undefined) return;
    this.#loads.delete(deployment);
    this.#recent.delete(load);
  }

  changesSince(version: number): { version: number; deployments: DeploymentReport[] } {
    const now = this.#now();
    const deployments: DeploymentReport[] = [];
    // A leader that is new must learn where every count stands: growth is what it goes by.
    for (const load of version === 0 ? this.#loads.values() : this.#recent) {
      const { active } = load;
      if (active || load.version > version) deployments.push(load.report(now));
      if (!active && now - load.changedAt > RECENT_MS) this.#recent.delete(load);
    }
    return { version: this.#version, deployments };
  }

  onUrgent(listener: () => void): () => void {
    this.#urgent.add(listener);
    return () => this.#urgent.delete(listener);
  }

  #loadOf(deployment: Deployment): DeploymentLoad {
    let load = this.#loads.get(deployment);
    if (load === undefined) {
      load = new DeploymentLoad(deployment, this.#since, (changed, urgent) => this.#changed(changed, urgent));
      this.#loads.set(deployment, load);
    }
    return load;
  }

  #changed(load: DeploymentLoad, urgent: boolean): void {
    // Requests of a deployment that has gone may still end.
    if (this.#loads.get(load.deployment) !== load) return;
    this.#version += 1;
    load.version = this.#version;
    load.changedAt = this.#now();
    this.#recent.add(load);
    if (!urgent || this.#calling) return;
    // After whatever else changes in this turn: many deployments may be marked, or many requests held, at once.
    this.#calling = true;
    setImmediate(() => {
      this.#calling = false;
      for (const listener of this.#urgent) listener();
    });
  }
}
