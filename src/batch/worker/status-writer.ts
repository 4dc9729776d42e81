/** The status of one batch, as the claim that works on it writes it. */
import { isDeepStrictEqual } from 'node:util';
import type { InferenceBatch, InferenceBatchStatus } from '../../api/generated/inference-batch.ts';
import { isConflict, isNotFound } from '../../kube/errors.ts';
import type { BatchResources } from './access.ts';

/** The batch does not exist any more. */
export class BatchGone extends Error {
  override readonly name = 'BatchGone';
}

/** Writes one after the other, each made from the newest state that is known. */
export class StatusWriter {
  readonly #resources: BatchResources;
  #batch: InferenceBatch;
  #last: Promise<void> = Promise.resolve();

  constructor(resources: BatchResources, batch: InferenceBatch) {
    this.#resources = resources;
    this.#batch = batch;
  }

  /** The batch as this process read or wrote it last. */
  get batch(): InferenceBatch {
    return this.#batch;
  }

  /**
   * Writes the status that `edit` makes of the batch, and nothing where that is the same. After a conflict the batch is read
   * again, and `edit` asked anew. Throws BatchGone, and what the API server or the end of the claim throws.
   */
  async change(edit: (batch: InferenceBatch) => InferenceBatchStatus): Promise<void> {
    const turn = this.#last.then(async () => await this.#change(async (batch) => await this.#writeStatus(batch, edit)));
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  /** As `change`, of the finalizers. */
  async changeFinalizers(edit: (finalizers: readonly string[]) => string[]): Promise<void> {
    const turn = this.#last.then(async () => {
      await this.#change(async (batch) => {
        const before = batch.metadata.finalizers ?? [];
        const finalizers = edit(before);
        if (isDeepStrictEqual(finalizers, before)) return batch;
        return await this.#resources.update({ ...batch, metadata: { ...batch.metadata, finalizers } });
      });
    });
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  async #writeStatus(
    batch: InferenceBatch,
    edit: (batch: InferenceBatch) => InferenceBatchStatus,
  ): Promise<InferenceBatch> {
    const status = edit(batch);
    if (isDeepStrictEqual(status, batch.status)) return batch;
    return await this.#resources.updateStatus({ ...batch, status });
  }

  async #change(write: (batch: InferenceBatch) => Promise<InferenceBatch>): Promise<void> {
    for (;;) {
      try {
        this.#batch = await write(this.#batch);
        return;
      } catch (error) {
        if (isNotFound(error)) throw new BatchGone('the batch is gone', { cause: error });
        if (!isConflict(error)) throw error;
        this.#batch = await this.#readAgain();
      }
    }
  }

  async #readAgain(): Promise<InferenceBatch> {
    const { namespace, name, uid } = this.#batch.metadata;
    const batch = await this.#resources.get({ name, ...(namespace !== undefined && { namespace }) });
    if (batch === undefined || batch.metadata.uid !== uid) throw new BatchGone('the batch is gone');
    return batch;
  }
}
