/** `infer batch results`: the answers of a batch, to a file or to standard output. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError } from '../../kube/errors.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { withGateway, type GatewayOptions } from './access.ts';
import { countsOf, hasEnded, inputErrors, nextStep, type Batch } from './batch-object.ts';
import { getBatch } from './batch.ts';
import type { GatewayClient } from './client.ts';
import { GatewayUnreachable } from './failures.ts';
import { megabytes, startProgress } from './progress.ts';

export interface ResultsOptions extends GatewayOptions {
  /** A path; standard output where it is absent. */
  to?: string;
  /** The requests that failed instead of the answers. */
  errors?: boolean;
}

/** Writes the output of a batch; a file is there as a whole or not at all. */
export async function batchResults(context: Context, id: string, options: ResultsOptions): Promise<void> {
  await withGateway(context, options, async (client) => {
    const batch = await getBatch(context, client, id);
    const fileId =
      (options.errors === true ? batch.error_file_id : batch.output_file_id) ?? noFile(context, batch, options);
    await download(context, client, fileId, options.to);
    if (options.errors !== true && batch.error_file_id !== null) {
      context.note(`${batch.request_counts.failed} requests failed: infer batch results ${id} --errors`);
    }
  });
}

function noFile(context: Context, batch: Batch, { errors }: ResultsOptions): never {
  const { id, status } = batch;
  if (!hasEnded(batch)) {
    return context.fail(
      `Batch ${id} is ${status}: ${countsOf(batch)}. Its results are there when it has ended.`,
      `infer batch status ${id} --wait`,
      EXIT.notReady,
    );
  }
  if (errors === true) return context.fail(`No request of batch ${id} failed.`, nextStep(batch), EXIT.notFound);
  const wrong = inputErrors(batch);
  return context.fail(
    `Batch ${id} is ${status} and has no answers${wrong.length === 0 ? '.' : `:\n${wrong.join('\n')}`}`,
    nextStep(batch),
    EXIT.notFound,
  );
}

async function download(
  context: Context,
  client: GatewayClient,
  fileId: string,
  to: string | undefined,
): Promise<void> {
  const { signal } = context;
  const { body, headers } = await client.send(`/files/${encodeURIComponent(fileId)}/content`, { signal });
  if (to === undefined) return await pipeline(received(client, body, signal), context.stdout, { end: false, signal });
  const progress = startProgress(context);
  const total = Number(headers['content-length'] ?? NaN);
  const show = (bytes: number): void =>
    progress.show(`${megabytes(bytes)} downloaded`, total > 0 ? bytes / total : undefined);
  const content = received(client, body, signal, show);
  try {
    if (await isSpecial(to)) await pipeline(content, createWriteStream(to), { signal });
    else await writeWhole(to, content, signal);
  } catch (error) {
    if (signal.aborted || error instanceof GatewayUnreachable) throw error;
    context.fail(`${to} cannot be written: ${describeError(error)}.`, 'Name another file by --to.');
  } finally {
    progress.end();
  }
  context.note(`The results are in ${to}.`);
}

/** True for what is there and no file to be replaced, such as /dev/null or a named pipe. */
async function isSpecial(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && !info.isFile();
}

/** Under a name that nobody else uses until it is whole. */
async function writeWhole(to: string, content: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
  const half = `${to}.${randomUUID()}.part`;
  try {
    await pipeline(content, createWriteStream(half, { flush: true, flags: 'wx' }), { signal });
    await rename(half, to);
  } catch (error) {
    await rm(half, { force: true });
    throw error;
  }
}

async function* received(
  client: GatewayClient,
  body: Readable,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      onBytes((bytes += chunk.length));
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new GatewayUnreachable('The download broke off', { cause: client.reasonOf(error) });
  }
}
