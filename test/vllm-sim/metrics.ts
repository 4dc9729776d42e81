import type { FinishedSequence, StepResult } from './engine.ts';
import { families, seriesKey, type Family, type Labels, type MetricsOptions } from './metric-families.ts';

/** What a scrape reads from the engine at that moment. */
export interface Gauges {
  readonly running: number;
  readonly waiting: number;
  readonly kvCacheUsage: number;
  readonly preemptions: number;
  readonly prefixQueries: number;
  readonly prefixHits: number;
}

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

/** The vllm:* families of /metrics, in vLLM's order and spelling. Times are observed in seconds. */
export class Metrics {
  readonly #families: ReadonlyMap<string, Family>;
  readonly #values = new Map<string, number>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #options: MetricsOptions;

  constructor(options: MetricsOptions) {
    this.#options = options;
    this.#families = new Map(families(options).map((family) => [family.name, family]));
  }

  /** One engine step: tokens out, and the gaps between them. `now` in milliseconds. */
  step(result: StepResult, now: number): void {
    this.#observe('vllm:iteration_tokens_total', result.scheduledTokens);
    this.#add('vllm:generation_tokens_total', result.tokens.length);
    for (const { previousAt } of result.tokens) {
      if (previousAt !== undefined) this.#observe('vllm:inter_token_latency_seconds', (now - previousAt) / 1000);
    }
    for (const { waitedMs, promptTokens, cachedTokens } of result.first) {
      this.#firstToken(waitedMs / 1000, promptTokens, cachedTokens);
    }
    for (const finished of result.finished) this.finished(finished);
  }

  /** A sequence ended, for whatever reason; aborted ones count as well, as in vLLM. */
  finished(sequence: FinishedSequence): void {
    const { arrivedAt, scheduledAt, firstTokenAt, lastTokenAt, finishedAt, generatedTokens } = sequence;
    this.#add('vllm:request_success_total', 1, { finished_reason: sequence.reason });
    this.#observe('vllm:request_prompt_tokens', sequence.promptTokens);
    this.#observe('vllm:request_generation_tokens', generatedTokens);
    this.#observe('vllm:request_max_num_generation_tokens', generatedTokens);
    this.#observe('vllm:request_num_preemptions', sequence.preemptions);
    this.#observe('vllm:request_prefill_kv_computed_tokens', sequence.promptTokens - sequence.cachedTokens);
    this.#observe('vllm:e2e_request_latency_seconds', (finishedAt - arrivedAt) / 1000);
    this.#observe('vllm:request_queue_time_seconds', ((scheduledAt ?? finishedAt) - arrivedAt) / 1000);
    const started = scheduledAt ?? finishedAt;
    const first = firstTokenAt ?? started;
    const last = lastTokenAt ?? first;
    this.#observe('vllm:request_prefill_time_seconds', (first - started) / 1000);
    this.#observe('vllm:request_decode_time_seconds', (last - first) / 1000);
    this.#observe('vllm:request_inference_time_seconds', (last - started) / 1000);
    const gaps = generatedTokens - 1;
    this.#observe('vllm:request_time_per_output_token_seconds', gaps > 0 ? (last - first) / 1000 / gaps : 0);
  }

  /** The parameters of an accepted request. */
  accepted(n: number, maxTokens: number): void {
    this.#observe('vllm:request_params_n', n);
    this.#observe('vllm:request_params_max_tokens', maxTokens);
  }

  /** A request refused because the queue is full. */
  rejected(reason: 'max_num_queued_reqs' | 'max_num_queued_tokens'): void {
    this.#add('vllm:admission_rejections_total', 1, { reason });
  }

  /** The text of /metrics (Prometheus text format 0.0.4). */
  expose(gauges: Gauges): string {
    this.#set('vllm:num_requests_running', gauges.running);
    this.#set('vllm:num_requests_waiting', gauges.waiting);
    this.#set('vllm:num_requests_waiting_by_reason', gauges.waiting, { reason: 'capacity' });
    this.#set('vllm:kv_cache_usage_perc', gauges.kvCacheUsage);
    this.#set('vllm:num_preemptions_total', gauges.preemptions);
    this.#set('vllm:prefix_cache_queries_total', gauges.prefixQueries);
    this.#set('vllm:prefix_cache_hits_total', gauges.prefixHits);
    return `${[...this.#families.values()].flatMap((family) => this.#exposeFamily(family)).join('\n')}\n`;
  }

  #firstToken(seconds: number, promptTokens: number, cachedTokens: number): void {
    this.#observe('vllm:time_to_first_token_seconds', seconds);
    this.#add('vllm:prompt_tokens_total', promptTokens);
    this.#add('vllm:prompt_tokens_by_source_total', promptTokens - cachedTokens, { source: 'local_compute' });
    this.#add('vllm:prompt_tokens_by_source_total', cachedTokens, { source: 'local_cache_hit' });
    this.#add('vllm:prompt_tokens_cached_total', cachedTokens);
    this.#add('vllm:prompt_tokens_cached_by_source_total', cachedTokens, { source: 'device' });
  }

  #exposeFamily(family: Family): string[] {
    const header = [`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} ${family.type}`];
    const samples = family.series.flatMap((labels) =>
      family.buckets === undefined
        ? [`${seriesKey(family.name, labels)} ${float(this.#value(family, labels))}`]
        : this.#exposeHistogram(family.name, labels, family.buckets),
    );
    if (family.type === 'gauge') return [...header, ...samples];
    // The Python client adds a gauge with the time of creation to every counter and histogram.
    const created = `${family.type === 'counter' ? family.name.replace(/_total$/, '') : family.name}_created`;
    return [
      ...header,
      ...samples,
      `# HELP ${created} ${family.help}`,
      `# TYPE ${created} gauge`,
      ...family.series.map((labels) => `${seriesKey(created, labels)} ${float(this.#options.startedAt)}`),
    ];
  }

  #exposeHistogram(name: string, labels: Labels, buckets: readonly number[]): string[] {
    const histogram = this.#histograms.get(name);
    let total = 0;
    const lines = buckets.map((bound, index) => {
      total += histogram?.counts[index] ?? 0;
      return `${seriesKey(`${name}_bucket`, { ...labels, le: float(bound) })} ${float(total)}`;
    });
    return [
      ...lines,
      `${seriesKey(`${name}_bucket`, { ...labels, le: '+Inf' })} ${float(histogram?.count ?? 0)}`,
      `${seriesKey(`${name}_count`, labels)} ${float(histogram?.count ?? 0)}`,
      `${seriesKey(`${name}_sum`, labels)} ${float(histogram?.sum ?? 0)}`,
    ];
  }

  #value(family: Family, labels: Labels): number {
    return this.#values.get(seriesKey(family.name, labels)) ?? family.initial?.(labels) ?? 0;
  }

  /** The series that a change of `labels` means, in full: the families own the labels engine and model_name. */
  #series(name: string, labels: Labels): { key: string; family: Family } {
    const family = this.#families.get(name);
    const series = family?.series.find((all) => Object.entries(labels).every(([label, value]) => all[label] === value));
    if (family === undefined || series === undefined) throw new Error(`There is no metric ${seriesKey(name, labels)}.`);
    return { key: seriesKey(name, series), family };
  }

  #set(name: string, value: number, labels: Labels = {}): void {
    this.#values.set(this.#series(name, labels).key, value);
  }

  #add(name: string, amount: number, labels: Labels = {}): void {
    const { key } = this.#series(name, labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount);
  }

  #observe(name: string, value: number): void {
    const buckets = this.#series(name, {}).family.buckets ?? [];
    const histogram = this.#histograms.get(name) ?? { counts: buckets.map(() => 0), sum: 0, count: 0 };
    const index = buckets.findIndex((bound) => value <= bound);
    if (index !== -1) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
    histogram.sum += value;
    histogram.count += 1;
    this.#histograms.set(name, histogram);
  }
}

/** A number as Python prints a float: 1 is "1.0". */
function float(value: number): string {
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
}
