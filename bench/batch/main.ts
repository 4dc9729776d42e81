/**
 * `make bench-batch`: a large batch through gateway and batch process, beside the same requests sent straight to the same
 * engine at the same concurrency. Set by the caller: LINES and BYTES (of the input file), SEATS (of the engine). Ends with a
 * line of JSON. Linux only.
 */
import { openAsBlob, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import OpenAI from 'openai';
import { cpuSeconds } from '../gateway/targets.ts';
import { startProgress, wholeNumber } from '../command-line.ts';
import { MODEL, withBed, type BatchBed } from './bed.ts';
import { sendDirectly } from './direct.ts';
import { writeInput, type RequestShape } from './requests.ts';

const LINES = wholeNumber('LINES', 50_000);
const BYTES = wholeNumber('BYTES', 200_000_000);
const SEATS = wholeNumber('SEATS', 64);
/** So many of the requests are sent directly: enough for a rate. */
const DIRECT_REQUESTS = Math.min(LINES, 10_000);
const ENDPOINT = '/v1/chat/completions';
/**
 * An engine at which a request lasts for a quarter of a second, whatever its prompt: what is asked here is what gateway and
 * worker cost, and their share is largest where requests are short.
 */
const ENGINE = { SIM_STEP_MS: '15', SIM_STEP_US_PER_CONTEXT_TOKEN: '0', SIM_PREFILL_TOKENS_PER_SECOND: '1000000000' };
const shape: RequestShape = { model: MODEL, lineBytes: Math.floor(BYTES / LINES) - 1, answerTokens: 16 };

const progress = startProgress();

/** The most memory that the process ever had, in MB. */
function peakMemory(pid: number | undefined): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 1_000);
}

async function timed<T>(what: string, run: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const from = performance.now();
  const result = await run();
  const seconds = Number(((performance.now() - from) / 1_000).toFixed(2));
  progress(`${what}: ${seconds} s`);
  return { result, seconds };
}

async function waitFor(client: OpenAI, id: string, ...states: OpenAI.Batch['status'][]): Promise<OpenAI.Batch> {
  for (;;) {
    const batch = await client.batches.retrieve(id);
    if (states.includes(batch.status)) return batch;
    if (batch.status === 'failed') throw new Error(`The batch failed: ${JSON.stringify(batch.errors)}`);
    await delay(250);
  }
}

/** Reads the output file as it comes; returns how many different requests it answers, and how many lines it has. */
async function download(client: OpenAI, fileId: string): Promise<{ lines: number; requests: number }> {
  const response = await client.files.content(fileId);
  const seen = new Set<string>();
  let lines = 0;
  let rest = '';
  for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) {
      lines += 1;
      seen.add((JSON.parse(line) as { custom_id: string }).custom_id);
    }
  }
  return { lines, requests: seen.size };
}

async function measure({ baseUrl, key, engine, gatewayPid, batchPid, enginePid }: BatchBed, input: string) {
  const client = new OpenAI({ baseURL: baseUrl, apiKey: key, maxRetries: 0, timeout: 600_000 });
  const before = await sendDirectly(engine, DIRECT_REQUESTS, SEATS, shape);
  progress(`directly: ${before.toFixed(1)} requests/s`);
  const uploaded = await timed('upload', async () => {
    const file = new File([await openAsBlob(input)], 'requests.jsonl');
    return await client.files.create({ file, purpose: 'batch' });
  });
  const created = await client.batches.create({
    input_file_id: uploaded.result.id,
    endpoint: ENDPOINT,
    completion_window: '24h',
  });
  const validated = await timed(
    'validation',
    async () => await waitFor(client, created.id, 'in_progress', 'finalizing'),
  );
  const cpu = (): number[] => [gatewayPid, batchPid, enginePid].map((pid) => cpuSeconds(pid ?? 0));
  const cpuBefore = cpu();
  const ran = await timed('run', async () => await waitFor(client, created.id, 'finalizing', 'completed'));
  const cpuAfter = cpu();
  const [gatewayCpu, batchCpu, engineCpu] = cpuAfter.map((seconds, index) =>
    Number((((seconds - (cpuBefore[index] ?? 0)) * 1_000) / LINES).toFixed(3)),
  );
  const ended = await timed('files', async () => await waitFor(client, created.id, 'completed'));
  const { output_file_id: output, request_counts: counts } = ended.result;
  const downloaded = await timed('download', async () => await download(client, output ?? ''));
  const after = await sendDirectly(engine, DIRECT_REQUESTS, SEATS, shape);
  progress(`directly again: ${after.toFixed(1)} requests/s`);
  const direct = (before + after) / 2;
  const batch = LINES / ran.seconds;
  return {
    requests: LINES,
    bytes: (await stat(input)).size,
    seats: SEATS,
    counts,
    answered: downloaded.result,
    seconds: {
      upload: uploaded.seconds,
      validation: validated.seconds,
      run: ran.seconds,
      files: ended.seconds,
      download: downloaded.seconds,
    },
    requestsPerSecond: { direct: Number(direct.toFixed(1)), batch: Number(batch.toFixed(1)) },
    ratio: Number((batch / direct).toFixed(3)),
    processorMsPerRequest: { gateway: gatewayCpu, batch: batchCpu, engine: engineCpu },
    peakMegabytes: { gateway: peakMemory(gatewayPid), batch: peakMemory(batchPid) },
  };
}

const folder = await mkdtemp(join(tmpdir(), 'infer-bench-input-'));
try {
  const input = join(folder, 'requests.jsonl');
  await writeInput(input, LINES, shape);
  const result = await withBed(
    { seats: SEATS, environment: ENGINE },
    progress,
    async (bed) => await measure(bed, input),
  );
  console.log(JSON.stringify(result));
} finally {
  await rm(folder, { recursive: true, force: true });
}
