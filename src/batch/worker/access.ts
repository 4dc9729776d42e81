/** What the worker needs of its surroundings, so that tests can stand in for them. */
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import type { Change } from '../../kube/informer.ts';
import type { Logger, ObjectReference } from '../../kube/types.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import type { FileObject } from '../files/file-object.ts';
import type { BatchGateways } from '../gateway.ts';

/**
 * InferenceBatches at the API server. Every write carries the resourceVersion that it was made from, and throws ApiError
 * 409 where that is not the current one; all throw ApiError and ConnectionError.
 */
export interface BatchResources {
  /** Returns the batch as it is now, not as a cache has it; undefined where there is none. */
  get(ref: ObjectReference): Promise<InferenceBatch | undefined>;
  /** Writes all but the status; returns what was stored. */
  update(batch: InferenceBatch): Promise<InferenceBatch>;
  /** Writes the status; returns what was stored. */
  updateStatus(batch: InferenceBatch): Promise<InferenceBatch>;
  /** Deletes exactly this batch. */
  delete(batch: InferenceBatch): Promise<void>;
}

/** A batch that this process, and no other, works on. */
export interface Claim {
  /** Aborts when the work is to end: the process stops, or the claim was lost. */
  readonly ending: AbortSignal;
  /** Aborts when the claim was lost: nothing may be written any more. */
  readonly lost: AbortSignal;
  /** Throws WritesEnded for each write once the claim was lost. */
  readonly resources: BatchResources;
}

export interface Claims {
  /**
   * Waits until the batch is claimed or `signal` aborts, and runs `work`; the claim is given back when that has ended.
   * Throws what `work` throws.
   */
  hold(batch: InferenceBatch, signal: AbortSignal, work: (claim: Claim) => Promise<void>): Promise<void>;
  /** Removes the record of a claim that nobody holds and nobody needs any more. */
  forget(batch: InferenceBatch): Promise<void>;
}

/** The file objects of the store. Both methods throw StoreUnavailable, and `add` StoreFull. */
export interface BatchFiles {
  /** Returns a file of the namespace that has not expired; undefined where there is none. */
  find(namespace: string, id: string): Promise<FileObject | undefined>;
  /** Makes a file exist whose content is stored already. */
  add(namespace: string, file: FileObject): Promise<void>;
}

/** A cache of all InferenceBatches; an Informer is one. */
export interface BatchCache {
  onChange(listener: (change: Change<InferenceBatch>) => void): void;
  get(ref: ObjectReference): InferenceBatch | undefined;
  list(): InferenceBatch[];
}

export interface WorkerClock {
  /** Unix milliseconds, for windows and times that are shown; may jump. */
  wall(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonic(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export interface WorkerOptions {
  readonly batches: BatchCache;
  /** For what needs no claim. */
  readonly resources: Pick<BatchResources, 'delete'>;
  readonly claims: Claims;
  readonly store: ObjectStore;
  readonly files: BatchFiles;
  readonly gateways: BatchGateways;
  readonly logger: Logger;
  readonly clock?: WorkerClock;
}
