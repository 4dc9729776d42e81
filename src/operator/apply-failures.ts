/** What is shown where the API server did not take the children of a deployment. */
import { hostileText, sameButForNumbers } from './diagnose/messages.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { ApiError, describeError } from '../kube/errors.ts';
import { objectKey, type ObjectReference } from '../kube/types.ts';

/** An API server that restarts, or a webhook whose pod does, is back within this. */
const PASSING_FAULT_MS = 5_000;

/** Answers that no repetition changes. */
const REFUSALS: readonly number[] = [400, 403, 422];

export class ApplyFailures {
  readonly #now: () => number;
  /** Since when each deployment's children could not be applied. */
  readonly #since = new Map<string, number>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The children were applied, or there is nothing to apply any more. */
  forget(ref: ObjectReference): void {
    this.#since.delete(objectKey(ref));
  }

  /**
   * Returns why the children of `resource` could not be applied; undefined while that may be a passing fault: status then
   * stays as it is, since it must not say of the new spec what holds for the old one. Failures often carry a time or a
   * request's id: a text that differs from the one shown only in such parts is not shown anew, since each try would
   * otherwise write status.
   */
  describe(failure: unknown, resource: InferenceDeployment): string | undefined {
    const key = objectKey(resource.metadata);
    const since = this.#since.get(key) ?? this.#now();
    this.#since.set(key, since);
    const refused = failure instanceof ApiError && REFUSALS.includes(failure.status);
    if (!refused && this.#now() - since < PASSING_FAULT_MS) return undefined;
    const text = refused
      ? `Kubernetes refused a change: ${hostileText(failure.message)}`
      : `Kubernetes did not take a change, and is asked again: ${hostileText(describeError(failure))}`;
    const shown = resource.status?.conditions?.find(({ reason }) => reason === 'ApplyFailed')?.message;
    return shown !== undefined && sameButForNumbers(shown, text) ? shown : text;
  }
}
