/** All that is to be done for one batch, from wherever it stands. */
import { setMaxListeners } from 'node:events';
import type { InferenceBatch, InferenceBatchStatus } from '../../api/generated/inference-batch.ts';
import { retryDelay } from '../../kube/backoff.ts';
import { formatTime } from '../../kube/conditions.ts';
import { ApiError, ConnectionError, WritesEnded, describeError, isInvalid } from '../../kube/errors.ts';
import { GatewaysUnavailable } from '../gateway.ts';
import type { DeploymentName } from '../gateway.ts';
import type { Claim } from './access.ts';
import { checkInput } from './check-input.ts';
import type { CheckedInput } from './check-input.ts';
import { isSealed, publish, removeObjects, seal } from './finalise.ts';
import type { FinaliseOptions } from './finalise.ts';
import { batchPrefix, linesKey } from './keys.ts';
import { LineIndex } from './line-index.ts';
import { persistently } from './persistence.ts';
import { RUNNING } from './progress.ts';
import { ride } from './ride.ts';
import { readResults } from './seal.ts';
import type { Results } from './seal.ts';
import {
  FINALIZER,
  deploymentOf,
  enterState,
  formatDeployment,
  isFinal,
  sendsNothing,
  stateOf,
  windowEnd,
} from './state.ts';
import type { BatchState } from './state.ts';
import { BatchGone, StatusWriter } from './status-writer.ts';
import { Troubles } from './troubles.ts';
import type { Orders, WorkOptions } from './work-options.ts';

const WAITING = 'The batch waits until other batches are done, first of all those of its deployment.';

const BACKOFF = { baseMs: 1000, maxMs: 60_000 };

/** How long after its window a batch that fails is tried again: what lasts for longer does not pass. */
const HOPELESS_AFTER_MS = 3_600_000;

const UNCHECKED: CheckedInput = {
  good: false,
  errors: [
    { code: 'batch_expired', message: 'The window was over before a gateway could be reached to check the input.' },
  ],
  errorCount: 1,
};

export class BatchWork {
  readonly #options: WorkOptions;
  readonly #orders: Orders;
  readonly #claim: Claim;
  readonly #status: StatusWriter;
  /** Aborts when nothing more may be done for the batch. */
  readonly #dead: AbortSignal;
  /** So does an orderly end, in all states in which nothing is in flight. */
  readonly #end: AbortSignal;
  readonly #troubles: Troubles;

  constructor(options: WorkOptions, orders: Orders, claim: Claim, batch: InferenceBatch) {
    this.#options = options;
    this.#orders = orders;
    this.#claim = claim;
    this.#troubles = new Troubles(() => options.clock.monotonic());
    this.#status = new StatusWriter(claim.resources, batch);
    this.#dead = AbortSignal.any([claim.lost, orders.deleted, orders.kill]);
    this.#end = AbortSignal.any([this.#dead, claim.ending]);
    setMaxListeners(0, this.#dead, this.#end);
  }

  /**
   * Works until nothing is left to do for the batch, no place is free for it, the claim is lost, or the process stops; returns
   * whether nothing is left to do. Throws what the API server and the store throw, but for what passes.
   */
  async run(): Promise<boolean> {
    let gone = false;
    let done = true;
    try {
      if (this.#status.batch.metadata.deletionTimestamp === undefined) done = await this.#advance();
    } catch (error) {
      if (this.#claim.ending.aborted) return false;
      gone = error instanceof BatchGone;
      if (!gone && !this.#orders.deleted.aborted) await this.#failFor(error);
    }
    if (gone || this.#orders.deleted.aborted || this.#status.batch.metadata.deletionTimestamp !== undefined) {
      await this.#remove();
      return true;
    }
    return done;
  }

  /** Returns whether the batch has come to its end; where not, it waits for a place. */
  async #advance(): Promise<boolean> {
    if (!isFinal(this.#state)) {
      await this.#status.changeFinalizers((finalizers) => [...new Set([...finalizers, FINALIZER])]);
    }
    while (!isFinal(this.#state)) {
      this.#end.throwIfAborted();
      if (isSealed(this.#status.batch)) await publish(this.#finaliseOptions());
      else if (this.#state === 'Validating') await this.#validate();
      else if (!(await this.#runInPlace())) return false;
    }
    // Not before: who has lost the claim without knowing would remove what another writes.
    await this.#leave(this.#end, false);
    return true;
  }

  get #state(): BatchState {
    return stateOf(this.#status.batch);
  }

  get #cancelled(): boolean {
    return this.#orders.cancel.aborted || this.#status.batch.spec.cancel === true;
  }

  async #enter(state: BatchState, message: string, fields: Partial<InferenceBatchStatus> = {}): Promise<void> {
    const now = new Date(this.#options.clock.wall());
    await this.#status.change((batch) => enterState(batch, state, message, now, fields));
  }

  /** Ends the batch where no further try can come to anything else. Throws the error where one may. */
  async #failFor(error: unknown): Promise<void> {
    const nowMs = this.#options.clock.wall();
    const passes = error instanceof ApiError || error instanceof ConnectionError || error instanceof WritesEnded;
    // Once more, at least: what another process did meanwhile may be what was in the way.
    const late = nowMs > windowEnd(this.#status.batch) + HOPELESS_AFTER_MS;
    const hopeless = !passes && late && this.#options.failedBefore;
    if (!hopeless && !isInvalid(error)) throw error;
    this.#options.logger.error({ error: describeError(error) }, 'a batch was given up');
    const message = `The batch could not be done: ${describeError(error)}. Make another of the same input.`;
    const errors = [{ code: 'server_error', message: message.slice(0, 512) }];
    await this.#status.change((batch) =>
      isFinal(stateOf(batch))
        ? (batch.status ?? {})
        : enterState(withoutFiles(batch), 'Failed', message, new Date(nowMs), {
            errors,
            errorCount: 1,
            neededReplicas: 0,
          }),
    );
    await this.#leave(this.#end, false);
  }

  async #validate(): Promise<void> {
    const { inputFileId } = this.#status.batch.spec;
    await this.#enter('Validating', `The requests of ${inputFileId} are checked.`);
    const checked = await this.#check();
    if (checked === undefined) {
      const cancellingAt = formatTime(new Date(this.#options.clock.wall()));
      await this.#enter('Cancelled', 'The batch was cancelled before its start.', { cancellingAt, neededReplicas: 0 });
    } else if (checked.good) {
      await this.#enter('InProgress', RUNNING, {
        deployment: formatDeployment(checked.deployment, this.#status.batch.metadata.namespace ?? ''),
        model: checked.model,
        requests: { total: checked.lines.size, completed: 0, failed: 0 },
        neededReplicas: 1,
      });
    } else {
      await this.#fail(checked);
    }
  }

  async #fail({ errors, errorCount }: CheckedInput & { good: false }): Promise<void> {
    const [first] = errors;
    const where = first?.line === undefined ? '' : `line ${first.line}: `;
    const many = errorCount > 1 ? `, the first of ${errorCount} errors` : '';
    const message = `The input is refused: ${where}${first?.message ?? ''}${many === '' ? '' : ` (${many.slice(2)})`}`;
    await this.#enter('Failed', message, { errors: [...errors], errorCount, neededReplicas: 0 });
  }

  /** Returns what the input is; undefined where the batch was cancelled before that was known. */
  async #check(): Promise<CheckedInput | undefined> {
    const { cancel } = this.#orders;
    const signal = AbortSignal.any([this.#end, cancel]);
    setMaxListeners(0, signal);
    const { store, files, gateways } = this.#options;
    const { batch } = this.#status;
    for (let attempt = 0; !this.#cancelled; attempt += 1) {
      try {
        const checked = await persistently(
          async () => await checkInput({ store, files, gateways, batch, signal }),
          (trouble) => this.#showTrouble(trouble),
          signal,
        );
        this.#showTrouble(undefined);
        return checked;
      } catch (error) {
        this.#end.throwIfAborted();
        if (this.#cancelled) break;
        if (!(error instanceof GatewaysUnavailable)) throw error;
        if (this.#options.clock.wall() > windowEnd(batch)) return UNCHECKED;
        this.#showTrouble('No gateway can be reached to look up the model; the check is done again once one can.');
        await this.#options.clock.pause(retryDelay(attempt, BACKOFF), signal);
      }
    }
    return undefined;
  }

  /** Returns whether there was a place to run in. */
  async #runInPlace(): Promise<boolean> {
    const deployment = deploymentOf(this.#status.batch);
    if (deployment === undefined) throw new Error('the status of the batch names no deployment');
    const { takePlace, clock } = this.#options;
    const needsNone = sendsNothing(this.#status.batch, clock.wall());
    const leave = needsNone ? undefined : takePlace(deployment);
    if (leave === undefined && !needsNone) {
      await this.#enter(this.#state, WAITING, { neededReplicas: 0 });
      return false;
    }
    try {
      await this.#runRequests(deployment);
    } finally {
      leave?.();
    }
    return true;
  }

  async #runRequests(deployment: DeploymentName): Promise<void> {
    const { store, ids } = this.#options;
    const prefix = batchPrefix(this.#status.batch);
    const lines = await this.#untilStored(async () => await this.#readLines());
    // The store has lost what it had, or was changed for another.
    if (lines === undefined) return await this.#validate();
    const { ending } = this.#claim;
    const signals = { ...this.#orders, dead: this.#dead, ending };
    const results = async (): Promise<Results> =>
      await this.#untilStored(async () => await readResults(store, prefix, this.#end));
    // What it holds is let go before it is read again.
    const finished = await ride(this.#options, {
      status: this.#status,
      lines,
      before: await results(),
      deployment,
      signals,
    });
    if (!finished) return;
    await seal({ ...this.#finaliseOptions(), ids }, await results());
  }

  async #readLines(): Promise<LineIndex | undefined> {
    const stored = await this.#options.store.get(linesKey(this.#status.batch), { signal: this.#end });
    return stored && (await LineIndex.read(stored.content));
  }

  async #untilStored<T>(operation: () => Promise<T>): Promise<T> {
    return await persistently(operation, (trouble) => this.#showTrouble(trouble), this.#end);
  }

  #finaliseOptions(): FinaliseOptions {
    const { store, files, clock, ids } = this.#options;
    const onTrouble = (trouble: string | undefined): void => this.#showTrouble(trouble);
    return { store, files, status: this.#status, ids, clock, signal: this.#end, onTrouble };
  }

  /** Says in the status what keeps the batch from getting on; what it says stays until the next state. */
  #showTrouble(trouble: string | undefined): void {
    this.#troubles.set('store', trouble);
    if (trouble === undefined) return;
    this.#enter(this.#state, trouble, this.#troubles.lasting ? { neededReplicas: 0 } : {}).catch((error: unknown) => {
      this.#options.logger.warn({ error: describeError(error) }, 'the trouble of a batch could not be shown');
    });
  }

  async #remove(): Promise<void> {
    try {
      await this.#leave(AbortSignal.any([this.#claim.lost, this.#claim.ending]), true);
    } catch (error) {
      if (!(error instanceof BatchGone)) throw error;
    }
  }

  /** Removes the objects of the batch but, unless `all`, the errors of its input; then its resource needs no process. */
  async #leave(signal: AbortSignal, all: boolean): Promise<void> {
    const { store } = this.#options;
    const { batch } = this.#status;
    await persistently(
      async () => await removeObjects(store, batch, signal, all),
      () => undefined,
      signal,
    );
    await this.#status.changeFinalizers((finalizers) => finalizers.filter((finalizer) => finalizer !== FINALIZER));
  }
}

/** A batch that fails once it was sealed has no files, whatever ids were meant for them. */
function withoutFiles(batch: InferenceBatch): InferenceBatch {
  const { outputFileId: _output, errorFileId: _error, expiredAt: _expired, ...status } = batch.status ?? {};
  return { ...batch, status };
}
