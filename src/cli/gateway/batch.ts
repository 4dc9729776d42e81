/** `infer batch`: how batches stand, and their end. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Interrupted } from '../failure.ts';
import { age } from '../output/durations.ts';
import { printStructured, printTable } from '../output/objects.ts';
import type { Column } from '../output/table.ts';
import { printable } from '../printable.ts';
import { withGateway, type GatewayOptions } from './access.ts';
import { countsOf, hasEnded, inputErrors, nextStep, shareOf, type Batch } from './batch-object.ts';
import type { GatewayClient } from './client.ts';
import { ApiFailure, GatewayUnreachable } from './failures.ts';
import { startProgress } from './progress.ts';

const POLL_MS = 2_000;
/** A gateway or the batch process may restart meanwhile. */
const PATIENCE_MS = 5 * 60_000;
const PAGE = 100;

/** Prints how one batch stands: the newest where `id` is undefined. */
export async function batchStatus(
  context: Context,
  id: string | undefined,
  options: GatewayOptions & { wait?: boolean },
): Promise<void> {
  await withGateway(context, options, async (client) => {
    const batch = id === undefined ? await newest(context, client) : await getBatch(context, client, id);
    const last = options.wait === true ? await waitForEnd(context, client, batch) : batch;
    if (!(await printBatch(context, last))) printDetail(context, last);
    if (options.wait === true) failUnlessCompleted(context, last);
  });
}

async function newest(context: Context, client: GatewayClient): Promise<Batch> {
  const { data } = await client.json<{ data: Batch[] }>('/batches', { query: { limit: '1' }, signal: context.signal });
  return data[0] ?? context.fail('There is no batch.', 'Make one: infer batch submit FILE', EXIT.notFound);
}

/** Returns a batch by its id. */
export async function getBatch(context: Context, client: GatewayClient, id: string): Promise<Batch> {
  return await client.json<Batch>(`/batches/${encodeURIComponent(id)}`, { signal: context.signal });
}

/** Prints the batches of the key's namespace, the newest first. */
export async function listBatches(context: Context, options: GatewayOptions & { limit: number }): Promise<void> {
  await withGateway(context, options, async (client) => {
    const batches: Batch[] = [];
    let after: string | undefined;
    do {
      const query = { limit: String(Math.min(PAGE, options.limit - batches.length)), after };
      const { signal } = context;
      const page = await client.json<{ data: Batch[]; has_more: boolean }>('/batches', { query, signal });
      batches.push(...page.data);
      after = page.has_more ? page.data.at(-1)?.id : undefined;
    } while (after !== undefined && batches.length < options.limit);
    if (context.output === 'name') for (const { id } of batches) context.print(id);
    else if (await printStructured(context, batches)) return;
    else if (batches.length === 0) context.note('There is no batch. Make one: infer batch submit FILE');
    else printBatches(context, batches);
  });
}

function count(value: (batch: Batch) => number): Pick<Column<Batch>, 'align' | 'value'> {
  return { align: 'right', value: (batch) => String(value(batch)) };
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function printBatches(context: Context, batches: readonly Batch[]): void {
  printTable<Batch>(
    context,
    [
      { header: 'ID', value: ({ id }) => id },
      { header: 'DEPLOYMENT', value: ({ model }) => model ?? '', cutTo: 16, drop: 1 },
      { header: 'STATUS', value: ({ status }) => status },
      { header: 'DONE', ...count(({ request_counts: { completed } }) => completed) },
      { header: 'FAILED', ...count(({ request_counts: { failed } }) => failed) },
      { header: 'TOTAL', ...count(({ request_counts: { total } }) => total) },
      {
        header: 'AGE',
        value: ({ created_at }) => age(new Date(created_at * 1000).toISOString(), context.now()),
        drop: 2,
      },
      { header: 'ENDPOINT', value: ({ endpoint }) => endpoint, wide: true, drop: 0 },
    ],
    batches,
  );
}

/** Ends a batch. What was done of it can be downloaded. */
export async function cancelBatch(context: Context, id: string, options: GatewayOptions): Promise<void> {
  await withGateway(context, options, async (client) => {
    const path = `/batches/${encodeURIComponent(id)}/cancel`;
    const batch = await client.json<Batch>(path, { method: 'POST', signal: context.signal });
    if (await printBatch(context, batch)) return;
    context.note(`Batch ${id} is ${batch.status}: ${countsOf(batch)}. What is under way is finished.`);
  });
}

/** Shows how a batch proceeds until it has ended, and returns it. Ctrl-C leaves it running. */
export async function waitForEnd(context: Context, client: GatewayClient, first: Batch): Promise<Batch> {
  const progress = startProgress(context);
  let batch = first;
  let answeredAt = performance.now();
  try {
    for (;;) {
      progress.show(`${batch.status}: ${countsOf(batch)}`, shareOf(batch));
      if (hasEnded(batch)) return batch;
      await pause(POLL_MS, undefined, { signal: context.signal });
      try {
        batch = await getBatch(context, client, batch.id);
        answeredAt = performance.now();
      } catch (error) {
        if (!passes(error) || performance.now() - answeredAt > PATIENCE_MS) throw error;
      }
    }
  } catch (error) {
    if (!context.signal.aborted) throw error;
    throw new Interrupted(`Batch ${batch.id} goes on. See it by: infer batch status ${batch.id}`);
  } finally {
    progress.end();
  }
}

function passes(error: unknown): boolean {
  return (
    error instanceof GatewayUnreachable ||
    (error instanceof ApiFailure && (error.status >= 500 || error.status === 429))
  );
}

/** Throws CliFailure for a batch that did not do what it was made for. */
export function failUnlessCompleted(context: Context, batch: Batch): void {
  if (batch.status === 'completed') return;
  const wrong = inputErrors(batch);
  const message = `Batch ${batch.id} is ${batch.status}: ${wrong.length === 0 ? countsOf(batch) : `\n${wrong.join('\n')}`}`;
  context.fail(message, nextStep(batch), EXIT.notReady);
}

/** Prints a batch by -o json, yaml or name and returns true; returns false where a person reads. */
export async function printBatch(context: Context, batch: Batch): Promise<boolean> {
  if (context.output !== 'name') return await printStructured(context, batch);
  context.print(batch.id);
  return true;
}

function printDetail(context: Context, batch: Batch): void {
  const { id, status, model, endpoint, created_at, expires_at, usage } = batch;
  const rows: [string, string][] = [
    ['Batch', id],
    ['Status', `${status}, ${countsOf(batch)}`],
    ['Deployment', `${model ?? 'not known yet'}, ${endpoint}`],
    [
      'Created',
      `${timeOf(created_at)}${hasEnded(batch) || expires_at === null ? '' : `; its window ends ${timeOf(expires_at)}`}`,
    ],
    ['Tokens', usage === undefined ? '' : `${usage.input_tokens} in, ${usage.output_tokens} out`],
    ...inputErrors(batch).map((line): [string, string] => ['Error', line]),
    ['Next', nextStep(batch)],
  ];
  for (const [name, value] of rows) if (value !== '') context.print(`${`${name}:`.padEnd(13)}${printable(value)}`);
}
