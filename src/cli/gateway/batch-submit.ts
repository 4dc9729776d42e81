/** `infer batch submit`: uploads requests, or prompts made into requests, and makes a batch of them. */
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { createInterface } from 'node:readline';
import { describeError } from '../../kube/errors.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { withGateway, type GatewayOptions } from './access.ts';
import { failUnlessCompleted, printBatch, waitForEnd } from './batch.ts';
import { BadInput, endpointOf, linesFor, linesOfPrompts, promptsOfCsv, promptsOfText } from './batch-lines.ts';
import type { BatchEndpoint } from './batch-lines.ts';
import { countsOf, nextStep, type Batch } from './batch-object.ts';
import type { GatewayClient } from './client.ts';
import { batchFileForm } from './multipart.ts';
import { megabytes, startProgress } from './progress.ts';

export interface SubmitOptions extends GatewayOptions {
  deployment?: string;
  endpoint?: BatchEndpoint;
  prompts?: boolean;
  system?: string;
  maxTokens?: number;
  temperature?: number;
  wait?: boolean;
}

interface Input {
  readonly endpoint: BatchEndpoint;
  readonly content: AsyncIterable<Uint8Array>;
  /** Of the content; undefined where it is made on the way. */
  readonly bytes: number | undefined;
}

/** Prints the id of the new batch, alone, on standard output; with `wait` it resolves when the batch has ended. */
export async function submitBatch(context: Context, file: string, options: SubmitOptions): Promise<void> {
  const info = await stat(file).catch(() => undefined);
  if (info?.isFile() !== true) {
    context.fail(
      `There is no file ${file}.`,
      'Name a file of requests (JSONL), or of prompts with --prompts.',
      EXIT.wrongUse,
    );
  }
  await assertReadable(context, file);
  try {
    const input = await readInput(context, file, info.size, options);
    await withGateway(context, options, async (client) => await submit(context, client, file, input, options));
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    context.fail(
      `${file} cannot be submitted: ${error.message}.`,
      options.prompts === true
        ? 'Write one prompt a line, or a CSV with a column "prompt".'
        : 'See docs/batch.md for the form of a line; for a file of prompts: --prompts -d ID',
      EXIT.wrongUse,
    );
  }
}

/** A stream that cannot be read would end the process where a reader of lines waits for it. */
async function assertReadable(context: Context, file: string): Promise<void> {
  try {
    await using handle = await open(file);
    await handle.read(Buffer.alloc(1), 0, 1, 0);
  } catch (error) {
    context.fail(`${file} cannot be read: ${describeError(error)}.`, 'Name a file that you may read.', EXIT.wrongUse);
  }
}

async function submit(
  context: Context,
  client: GatewayClient,
  file: string,
  input: Input,
  options: SubmitOptions,
): Promise<void> {
  const { signal } = context;
  const fileId = await upload(context, client, file, input);
  const json = { input_file_id: fileId, endpoint: input.endpoint, completion_window: '24h' };
  const batch = await client.json<Batch>('/batches', { method: 'POST', json, signal });
  if (options.wait !== true) {
    if (!(await printBatch(context, batch))) context.print(batch.id);
    return context.note(`The batch is made. See how it stands by: ${nextStep(batch)}`);
  }
  if (context.output === 'table' || context.output === 'wide') context.print(batch.id);
  const last = await waitForEnd(context, client, batch);
  await printBatch(context, last);
  failUnlessCompleted(context, last);
  context.note(`The batch is completed: ${countsOf(last)}. Its results: ${nextStep(last)}`);
}

/** Returns the file's id. */
async function upload(context: Context, client: GatewayClient, file: string, input: Input): Promise<string> {
  const progress = startProgress(context);
  let broken: unknown;
  // An error of the content would come back as one of the connection.
  async function* watched(): AsyncGenerator<Uint8Array> {
    try {
      yield* input.content;
    } catch (error) {
      broken = error;
      throw error;
    }
  }
  const form = batchFileForm({
    filename: `${basename(file, extname(file))}.jsonl`,
    content: watched(),
    bytes: input.bytes,
    onBytes: (bytes) => progress.show(`${megabytes(bytes)} uploaded`, input.bytes && bytes / input.bytes),
  });
  try {
    const { signal } = context;
    return (await client.json<{ id: string }>('/files', { method: 'POST', ...form, signal })).id;
  } catch (error) {
    throw broken ?? error;
  } finally {
    progress.end();
  }
}

/** Nothing of it is read before it is sent, but for the first line. */
async function readInput(context: Context, file: string, size: number, options: SubmitOptions): Promise<Input> {
  const { deployment, prompts } = options;
  const lines = (): AsyncIterable<string> => linesOf(file);
  if (prompts === true) {
    const model = deployment ?? context.fail('--prompts needs a deployment.', 'Name it by -d ID.', EXIT.wrongUse);
    const { endpoint = '/v1/chat/completions' } = options;
    const csv = extname(file).toLowerCase() === '.csv';
    const found = csv ? promptsOfCsv(createReadStream(file, 'utf8')) : promptsOfText(lines());
    return { endpoint, content: encoded(linesOfPrompts(found, { ...options, endpoint, model })), bytes: undefined };
  }
  const endpoint = options.endpoint ?? endpointOf(await firstLine(lines()));
  return deployment === undefined
    ? { endpoint, content: createReadStream(file, { highWaterMark: 256 * 1024 }), bytes: size }
    : { endpoint, content: encoded(linesFor(lines(), deployment)), bytes: undefined };
}

/** Opens the file when the first line is asked for: readline throws away those that nobody waits for yet. */
async function* linesOf(file: string): AsyncGenerator<string> {
  yield* createInterface({ input: createReadStream(file), crlfDelay: Infinity });
}

async function firstLine(lines: AsyncIterable<string>): Promise<string> {
  for await (const line of lines) if (line.trim() !== '') return line;
  throw new BadInput('it is empty');
}

async function* encoded(lines: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const line of lines) yield Buffer.from(line);
}
