/** What the work on one batch is given. */
import type { DeploymentName } from '../gateway.ts';
import type { TimedIds } from '../timed-ids.ts';
import type { WorkerClock, WorkerOptions } from './access.ts';
import type { Lanes } from './lanes.ts';
import type { Work } from './needed-replicas.ts';

/** What is asked of a batch while it is worked on. */
export interface Orders {
  /** Aborts when it is to be cancelled. */
  readonly cancel: AbortSignal;
  /** Aborts when its resource is deleted. */
  readonly deleted: AbortSignal;
  /** Aborts when the process cannot wait any longer for what is in flight. */
  readonly kill: AbortSignal;
}

export interface WorkOptions extends Pick<WorkerOptions, 'store' | 'files' | 'gateways' | 'logger'> {
  readonly clock: WorkerClock;
  readonly ids: TimedIds;
  readonly lanes: Lanes;
  /** Whether the work on this batch has failed lately, in this process. */
  readonly failedBefore: boolean;
  /** Takes a place for a batch that has requests to send; returns what gives it back, undefined where none is free. */
  readonly takePlace: (deployment: DeploymentName) => (() => void) | undefined;
  /** Returns what else is to be done on the deployment. */
  readonly otherWork: (deployment: DeploymentName, uid: string | undefined) => Work[];
}
