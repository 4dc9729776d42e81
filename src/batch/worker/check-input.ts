/** The first step of a batch: its input is read once, and found good or not. */
import type { ObjectStore } from '../../store/object-store.ts';
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import { KeyRefused } from '../gateway.ts';
import type { BatchGateways, DeploymentName, OnBehalf } from '../gateway.ts';
import { contentKey } from '../files/file-object.ts';
import type { BatchFiles } from './access.ts';
import { inputLines } from './input.ts';
import { errorsKey, linesKey } from './keys.ts';
import type { LineIndex } from './line-index.ts';
import { validateInput } from './validate.ts';
import type { GoodInput, InputError } from './validate.ts';

/** The gateway's bound of a body, and some for what stands around it. */
const LINE_BYTES = 8 * 1024 * 1024 + 64 * 1024;

/** The resource holds so many; more are in the store. */
const SHOWN_ERRORS = 20;

/** Errors in the store: what the API shows of them (batch-errors.ts). All are counted. */
const MOST_ERROR_BYTES = 2 * 1024 * 1024;

export interface CheckOptions {
  readonly store: ObjectStore;
  readonly files: BatchFiles;
  readonly gateways: Pick<BatchGateways, 'resolve'>;
  readonly batch: InferenceBatch;
  readonly signal: AbortSignal;
}

export type CheckedInput =
  | { readonly good: true; readonly lines: LineIndex; readonly model: string; readonly deployment: DeploymentName }
  | { readonly good: false; readonly errors: readonly InputError[]; readonly errorCount: number };

/** Returns on whose behalf the requests of the batch are sent. */
export function onBehalfOf({ metadata, spec }: InferenceBatch): OnBehalf {
  return { namespace: metadata.namespace ?? '', key: spec.apiKey };
}

/**
 * Returns whether the input is good. What is wrong with it is in the store then, or the index of its lines. Throws what the
 * store throws, and GatewaysUnavailable.
 */
export async function checkInput(options: CheckOptions): Promise<CheckedInput> {
  const { store, files, batch, signal } = options;
  const { inputFileId } = batch.spec;
  const namespace = batch.metadata.namespace ?? '';
  const file = await files.find(namespace, inputFileId);
  if (file === undefined) return refused(noSuchFile(inputFileId));
  if (file.purpose !== 'batch') return refused(wrongPurpose(inputFileId, file.purpose));
  const content = (await store.get(contentKey(namespace, inputFileId), { signal }))?.content;
  if (content === undefined) return refused(noSuchFile(inputFileId));
  try {
    return await checkLines(options, content);
  } catch (error) {
    if (!(error instanceof KeyRefused)) throw error;
    return refused(keyRefused(batch.spec.apiKey));
  } finally {
    content.destroy();
  }
}

async function checkLines(options: CheckOptions, content: AsyncIterable<Uint8Array>): Promise<CheckedInput> {
  const { store, gateways, batch, signal } = options;
  let deployment: DeploymentName | undefined;
  const errors = validateInput(inputLines(content, LINE_BYTES), {
    endpoint: batch.spec.endpoint,
    lineBytes: LINE_BYTES,
    modelExists: async (model) => {
      deployment = await gateways.resolve(onBehalfOf(batch), model, signal);
      return deployment !== undefined;
    },
  });
  const begin = await errors.next();
  if (begin.done !== true) {
    const found = new Found(begin.value, errors);
    await store.put(errorsKey(batch), found.write(), { signal });
    return { good: false, errors: found.first, errorCount: found.count };
  }
  const good: GoodInput | undefined = begin.value;
  if (good === undefined || deployment === undefined) throw new Error('an input without errors has no model');
  await store.put(linesKey(batch), good.lines.write(), { signal });
  return { good: true, ...good, deployment };
}

/** Errors on their way to the store, the first of which are kept. */
class Found {
  readonly first: InputError[] = [];
  count = 0;
  readonly #begin: InputError;
  readonly #rest: AsyncIterator<InputError>;

  constructor(begin: InputError, rest: AsyncIterator<InputError>) {
    this.#begin = begin;
    this.#rest = rest;
  }

  async *write(): AsyncGenerator<Buffer> {
    let line = this.#note(this.#begin);
    let bytes = line.length;
    yield line;
    for (let next = await this.#rest.next(); next.done !== true; next = await this.#rest.next()) {
      line = this.#note(next.value);
      bytes += line.length;
      if (bytes <= MOST_ERROR_BYTES) yield line;
    }
  }

  #note(error: InputError): Buffer {
    this.count += 1;
    if (this.first.length < SHOWN_ERRORS) this.first.push(error);
    return Buffer.from(`${JSON.stringify(error)}\n`);
  }
}

function refused(error: InputError): CheckedInput {
  return { good: false, errors: [error], errorCount: 1 };
}

function noSuchFile(id: string): InputError {
  const message = `The file ${id} does not exist: it was never there, was deleted, or has expired. Upload the input again.`;
  return { code: 'invalid_request', message, param: 'file_id' };
}

function wrongPurpose(id: string, purpose: string): InputError {
  const message = `The file ${id} has the purpose ${purpose}; an input must be uploaded with the purpose batch.`;
  return { code: 'invalid_request', message, param: 'file_id' };
}

function keyRefused(key: string): InputError {
  const message = `The APIKey ${key} does not exist, is disabled or over, or has neither scope files nor inference.`;
  return { code: 'invalid_api_key', message };
}
