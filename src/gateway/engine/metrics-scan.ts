/**
 * Reads the few families that count out of an engine's /metrics while they come: nothing of the text is kept but the
 * line that is not complete yet. The text is hostile: whoever can change the model's code can change it.
 */
import { MOST_REQUESTS } from './load-header.ts';

export interface EngineMetrics {
  /** Sums over the engines of one replica; the gauges at this moment, the tokens since they started. */
  running: number;
  /** For want of room. */
  waiting: number;
  /** For anything else. */
  deferred: number;
  promptTokens: number;
  generatedTokens: number;
  /** Mean over the engines, 0 to 1. */
  kvCacheUsage: number;
}

const NEWLINE = 0x0a;
/** Of a line that counts; others may be longer, such as the one that names every adapter. */
const MAX_LINE_BYTES = 4_096;
/** Of the families that count: vLLM writes at most six for each engine. */
const MAX_SERIES = 1_000;
const FAMILY_PREFIX = Buffer.from('vllm:');

const BY_REASON = 'vllm:num_requests_waiting_by_reason';
const WAITING = 'vllm:num_requests_waiting';
const RUNNING = 'vllm:num_requests_running';
const KV_CACHE = 'vllm:kv_cache_usage_perc';
const PROMPT_TOKENS = 'vllm:prompt_tokens_total';
const GENERATED_TOKENS = 'vllm:generation_tokens_total';
const FAMILIES: ReadonlySet<string> = new Set([RUNNING, WAITING, BY_REASON, KV_CACHE, PROMPT_TOKENS, GENERATED_TOKENS]);

export class MetricsScan {
  /** Of the line that has begun, its first MAX_LINE_BYTES. */
  #begun = Buffer.alloc(0);
  /** By family, that of waiting requests also by reason. */
  readonly #sums = new Map<string, { sum: number; series: number }>();
  #series = 0;
  #valid = true;

  /** Takes the next bytes of the text. */
  push(chunk: Buffer): void {
    if (!this.#valid) return;
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const rest = chunk.subarray(start, end);
      if (this.#begun.length === 0) {
        this.#line(rest);
      } else {
        this.#line(Buffer.concat([this.#begun, rest]));
        this.#begun = Buffer.alloc(0);
      }
      start = end + 1;
    }
    if (start < chunk.length && this.#begun.length <= MAX_LINE_BYTES) {
      this.#begun = Buffer.concat([this.#begun, chunk.subarray(start, start + MAX_LINE_BYTES + 1)]);
    }
  }

  /** Returns what all of the text says; undefined where something is missing, or is no number that it can be. */
  end(): EngineMetrics | undefined {
    // The text format ends each line; half a line may be half a number.
    if (!this.#valid || this.#begun.length > 0) return undefined;
    const sumOf = (name: string): number | undefined => this.#sums.get(name)?.sum;
    const kvCache = this.#sums.get(KV_CACHE);
    const requests = [sumOf(RUNNING), sumOf('capacity') ?? sumOf(WAITING), sumOf('deferred') ?? 0];
    const tokens = [sumOf(PROMPT_TOKENS), sumOf(GENERATED_TOKENS)];
    const kvCacheUsage = kvCache && kvCache.sum / kvCache.series;
    if (!areWhole(requests, MOST_REQUESTS) || !areWhole(tokens, Number.MAX_SAFE_INTEGER)) return undefined;
    if (kvCacheUsage === undefined || kvCacheUsage > 1) return undefined;
    const [running = 0, waiting = 0, deferred = 0] = requests;
    const [promptTokens = 0, generatedTokens = 0] = tokens;
    return { running, waiting, deferred, promptTokens, generatedTokens, kvCacheUsage };
  }

  #line(line: Buffer): void {
    if (line.length < FAMILY_PREFIX.length || line.compare(FAMILY_PREFIX, 0, 5, 0, 5) !== 0) return;
    const text = line.toString('latin1', 0, MAX_LINE_BYTES + 1);
    const family = /^[\w:]+/.exec(text)?.[0] ?? '';
    if (!FAMILIES.has(family)) return;
    // A value of a label may hold a brace; what follows the last one is the number, and perhaps a time.
    const labelsEnd = text.lastIndexOf('}') + 1 || family.length;
    const [, number] = /^ +(\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?: +-?\d+)?\r?$/.exec(text.slice(labelsEnd)) ?? [];
    this.#series += 1;
    if (number === undefined || text.length > MAX_LINE_BYTES || this.#series > MAX_SERIES) this.#valid = false;
    else this.#add(family === BY_REASON ? reasonOf(text) : family, Number(number));
  }

  #add(name: string, value: number): void {
    const sum = this.#sums.get(name);
    if (sum === undefined) {
      this.#sums.set(name, { sum: value, series: 1 });
    } else {
      sum.sum += value;
      sum.series += 1;
    }
  }
}

function areWhole(values: readonly (number | undefined)[], most: number): values is number[] {
  return values.every((value) => value !== undefined && Number.isInteger(value) && value <= most);
}

/** Also a reason that is not known yet is no want of room, as far as is known. */
function reasonOf(text: string): 'capacity' | 'deferred' {
  return /[{,]reason="capacity"/.test(text) ? 'capacity' : 'deferred';
}
