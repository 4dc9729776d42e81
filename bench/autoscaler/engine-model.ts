/**
 * How fast an engine is: the time of a step of continuous batching, fitted to measured tables.
 *
 * A step takes `baseMs`, more for each token of context that the decoding requests hold, and more for each prompt token
 * that is prefilled in it. The tables are those of SageServe (data/sageserve-perf): Llama-3.1-8B on two or four A100,
 * batches of 1 to 32. Beyond 32 requests, and beyond 8,192 tokens in one, the model extrapolates.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The three numbers that are fitted. */
export interface StepTimes {
  baseMs: number;
  perContextTokenMs: number;
  perPromptTokenMs: number;
}

export interface EngineModel extends StepTimes {
  gpus: number;
  /** vLLM's max_num_batched_tokens: prompt tokens of one step, less one for each request that decodes. */
  batchedTokens: number;
  /** vLLM's max_num_seqs. */
  seats: number;
  kvCacheTokens: number;
}

/** A line of a table: a batch of equal requests that came together. */
export interface MeasuredRow {
  promptTokens: number;
  batch: number;
  outputTokens: number;
  /** Of the prefill. Where the batch is 2 or more, of the first chunk alone: the same whatever the batch. */
  promptMs: number;
  /** From the first token to the last. Where the batch is 2 or more, other requests' prefill is in it. */
  tokenMs: number;
  totalMs: number;
}

/** vLLM's defaults on an A100. */
const BATCHED_TOKENS = 2_048;
const SEATS = 256;

/**
 * With more tokens than this in a request, the measured engine falls from 8.8 to 18.8 ms per step at once, as vLLM did
 * where a request outgrew the captured graphs (max_seq_len_to_capture). Its later versions have no such limit, so those
 * rows are left out.
 */
const LONGEST_CAPTURED = 8_192;
/** A shorter prompt takes as long as this one: the weights are read all the same. */
const SHORTEST_PROMPT = 512;

/**
 * Tokens of KV cache that fit beside the weights: 90 % of 79 GiB for each GPU, less its share of 15 GiB of weights and
 * 1.5 GiB of activations, over its share of the 128 KiB that a token of Llama-3.1-8B takes.
 */
function kvCacheTokens(gpus: number): number {
  return Math.floor(((0.9 * 79 - 15 / gpus - 1.5) * 2 ** 20) / (128 / gpus));
}

/** Returns the engine of a measured table: Llama-3.1-8B on this many A100. Throws where the table cannot be read. */
export function measuredEngine(gpus: 2 | 4): EngineModel {
  return {
    ...fitStepTimes(readMeasuredTable(measuredTablePath(gpus))),
    gpus,
    batchedTokens: BATCHED_TOKENS,
    seats: SEATS,
    kvCacheTokens: kvCacheTokens(gpus),
  };
}

/** Returns where the table of Llama-3.1-8B on this many GPUs is. */
export function measuredTablePath(gpus: 2 | 4): string {
  return join(import.meta.dirname, `data/sageserve-perf/Llama-3.1-8B-tp-${gpus}.csv.gz`);
}

/** Returns the rows of a gzipped SageServe table whose times are in seconds. Throws where a column is missing. */
export function readMeasuredTable(path: string): MeasuredRow[] {
  const [header = '', ...lines] = gunzipSync(readFileSync(path)).toString('utf8').trim().split(/\r?\n/);
  const names = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    const cell = (name: string) => {
      const value = Number(cells[names.indexOf(name)]);
      if (!Number.isFinite(value)) throw new Error(`${path}: no number in column ${name} of '${line}'.`);
      return value;
    };
    return {
      promptTokens: cell('prompt_size'),
      batch: cell('batch_size'),
      outputTokens: cell('token_size'),
      promptMs: cell('prompt_time') * 1000,
      tokenMs: cell('token_time') * 1000,
      totalMs: cell('e2e_time') * 1000,
    };
  });
}

/** Returns the rows that the model is for: those of requests no longer than the engine had captured graphs for. */
export function rowsWithin(rows: readonly MeasuredRow[]): MeasuredRow[] {
  return rows.filter((row) => row.promptTokens + row.outputTokens <= LONGEST_CAPTURED);
}

/** How often each of the three numbers counts in a prefill, and in the decoding after it. */
type Shares = [base: number, context: number, prompt: number];

function prefillShares(batch: number, promptTokens: number): Shares {
  return [Math.ceil((batch * promptTokens) / BATCHED_TOKENS), 0, batch * promptTokens];
}

/** The first token comes from the prefill. */
function decodeShares(batch: number, promptTokens: number, outputTokens: number): Shares {
  const steps = outputTokens - 1;
  return [steps, batch * steps * (promptTokens + outputTokens / 2), 0];
}

function timeOf([base, context, prompt]: Shares, times: StepTimes): number {
  return base * times.baseMs + context * times.perContextTokenMs + prompt * times.perPromptTokenMs;
}

/** Returns how long a batch of equal requests takes that come together to an idle engine, in milliseconds. */
export function batchMs(times: StepTimes, batch: number, promptTokens: number, outputTokens: number): number {
  return (
    timeOf(prefillShares(batch, promptTokens), times) + timeOf(decodeShares(batch, promptTokens, outputTokens), times)
  );
}

/**
 * Returns the step times with the least squared relative error over a table. One fit for all three: a single request
 * tells prefill and decoding apart, but in a batch the decoding that was measured holds the prefill of the others, so
 * there only the total is used. Fitted apart, that prefill would be counted twice.
 */
export function fitStepTimes(rows: readonly MeasuredRow[]): StepTimes {
  const equations: number[][] = [];
  const add = (shares: Shares, measuredMs: number) => equations.push(shares.map((share) => share / measuredMs));
  for (const { promptTokens, batch, outputTokens, promptMs, tokenMs, totalMs } of rowsWithin(rows)) {
    const prefill = prefillShares(batch, promptTokens);
    const decode = decodeShares(batch, promptTokens, outputTokens);
    if (batch > 1) {
      add([prefill[0] + decode[0], decode[1], prefill[2]], totalMs);
      continue;
    }
    add(decode, tokenMs);
    if (promptTokens >= SHORTEST_PROMPT) add(prefill, promptMs);
  }
  const [baseMs = 0, perContextTokenMs = 0, perPromptTokenMs = 0] = leastSquares(equations);
  return { baseMs, perContextTokenMs, perPromptTokenMs };
}

/** Returns the x that brings every `equation · x` nearest to 1, by the normal equations. */
function leastSquares(equations: readonly number[][]): number[] {
  const size = equations[0]?.length ?? 0;
  const indexes = Array.from({ length: size }, (_, index) => index);
  const sum = (value: (equation: number[]) => number) => equations.reduce((total, each) => total + value(each), 0);
  const matrix = indexes.map((i) => [
    ...indexes.map((j) => sum((each) => (each[i] ?? 0) * (each[j] ?? 0))),
    sum((each) => each[i] ?? 0),
  ]);
  // Gauss and Jordan without pivoting: the matrix is symmetric and positive definite.
  for (const [pivot, pivotRow] of matrix.entries()) {
    for (const [index, row] of matrix.entries()) {
      if (index === pivot) continue;
      const factor = (row[pivot] ?? 0) / (pivotRow[pivot] ?? 1);
      for (const column of row.keys()) row[column] = (row[column] ?? 0) - factor * (pivotRow[column] ?? 0);
    }
  }
  return matrix.map((row, index) => (row[size] ?? 0) / (row[index] ?? 1));
}
