export type Labels = Readonly<Record<string, string>>;

export interface MetricsOptions {
  readonly modelName: string;
  readonly maxModelLen: number;
  readonly kvBlocks: number;
  readonly blockTokens: number;
  readonly gpuMemoryUtilization: number;
  readonly prefixCaching: boolean;
  /** Unix time of the start in seconds, for the `_created` series. */
  readonly startedAt: number;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Label sets exposed from the start, as vLLM does. */
  readonly series: readonly Labels[];
  /** Upper bounds without +Inf; histograms only. */
  readonly buckets?: readonly number[];
  /** Value of a series that nothing has changed yet; 0 where absent. */
  readonly initial?: (labels: Labels) => number;
}

const REQUEST_SECONDS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const FIRST_TOKEN_SECONDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const TOKEN_SECONDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const PREEMPTIONS = [1, 2, 3, 4, 5, 10, 20];
const STEP_TOKENS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

/** `name{label="value",...}` with labels in alphabetical order, as vLLM's client library writes them. */
export function seriesKey(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return name;
  return `${name}{${pairs.map(([label, value]) => `${label}="${escape(value)}"`).join(',')}}`;
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** 1, 2, 5, 10, 20, 50, ... up to `max`: the buckets of token counts follow the model's context length. */
export function oneTwoFive(max: number): number[] {
  const buckets: number[] = [];
  for (let exponent = 1; ; exponent *= 10) {
    for (const mantissa of [1, 2, 5]) {
      if (mantissa * exponent > max) return buckets;
      buckets.push(mantissa * exponent);
    }
  }
}

/** Every vllm:* family of vLLM 0.32, in the order of its /metrics. */
export function families(options: MetricsOptions): Family[] {
  const base = { engine: '0', model_name: options.modelName };
  const each = (label: string, values: readonly string[]) => values.map((value) => ({ ...base, [label]: value }));
  const counter = (name: string, help: string, series: readonly Labels[] = [base]): Family => ({
    name: `vllm:${name}_total`,
    type: 'counter',
    help,
    series,
  });
  const gauge = (name: string, help: string, series: readonly Labels[] = [base]): Family => ({
    name: `vllm:${name}`,
    type: 'gauge',
    help,
    series,
  });
  const histogram = (name: string, help: string, buckets: readonly number[]): Family => ({
    name: `vllm:${name}`,
    type: 'histogram',
    help,
    series: [base],
    buckets,
  });
  const tokens = oneTwoFive(options.maxModelLen);
  return [
    counter(
      'estimated_flops_per_gpu',
      'Estimated number of floating point operations per GPU (for Model Flops Utilization calculations).',
    ),
    counter(
      'estimated_read_bytes_per_gpu',
      'Estimated number of bytes read from memory per GPU (for Model Flops Utilization calculations).',
    ),
    counter(
      'estimated_write_bytes_per_gpu',
      'Estimated number of bytes written to memory per GPU (for Model Flops Utilization calculations).',
    ),
    gauge('num_requests_running', 'Number of requests in model execution batches.'),
    gauge('num_requests_waiting', 'Number of requests waiting to be processed.'),
    gauge(
      'num_requests_waiting_by_reason',
      "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; " +
        "'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). " +
        'Sum of all reasons equals vllm:num_requests_waiting.',
      each('reason', ['capacity', 'deferred']),
    ),
    {
      ...gauge(
        'engine_sleep_state',
        'Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; ' +
          'weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2.',
        each('sleep_state', ['awake', 'weights_offloaded', 'discard_all']),
      ),
      initial: (labels) => (labels['sleep_state'] === 'awake' ? 1 : 0),
    },
    gauge('kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.'),
    counter('prefix_cache_queries', 'Prefix cache queries, in terms of number of queried tokens.'),
    counter('prefix_cache_hits', 'Prefix cache hits, in terms of number of cached tokens.'),
    counter(
      'external_prefix_cache_queries',
      'External prefix cache queries from KV connector cross-instance cache sharing, ' +
        'in terms of number of queried tokens.',
    ),
    counter(
      'external_prefix_cache_hits',
      'External prefix cache hits from KV connector cross-instance cache sharing, in terms of number of cached tokens.',
    ),
    counter('mm_cache_queries', 'Multi-modal cache queries, in terms of number of queried items.'),
    counter('mm_cache_hits', 'Multi-modal cache hits, in terms of number of cached items.'),
    counter('num_preemptions', 'Cumulative number of preemption from the engine.'),
    counter('prompt_tokens', 'Number of prefill tokens processed.'),
    counter(
      'prompt_tokens_by_source',
      'Number of prompt tokens by source.',
      each('source', ['local_compute', 'local_cache_hit', 'external_kv_transfer']),
    ),
    counter('prompt_tokens_cached', 'Number of cached prompt tokens (local + external).'),
    counter(
      'prompt_tokens_cached_by_source',
      'Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), ' +
        'disk, p2p (transferred from another vLLM instance) or external_unspecified. Counted at admission; ' +
        'sums to vllm:prefix_cache_hits + vllm:external_prefix_cache_hits.',
      each('source', ['device', 'host', 'p2p', 'disk', 'external_unspecified']),
    ),
    counter('generation_tokens', 'Number of generation tokens processed.'),
    counter(
      'request_success',
      'Count of successfully processed requests.',
      each('finished_reason', ['stop', 'length', 'abort', 'error', 'repetition']),
    ),
    counter(
      'admission_rejections',
      'Number of admission attempts rejected by a queue limit, by reason.',
      ['max_num_queued_reqs', 'max_num_queued_tokens'].map((reason) => ({ model_name: options.modelName, reason })),
    ),
    histogram('request_prompt_tokens', 'Number of prefill tokens processed.', tokens),
    histogram('request_generation_tokens', 'Number of generation tokens processed.', tokens),
    histogram('iteration_tokens_total', 'Histogram of number of tokens per engine_step.', STEP_TOKENS),
    histogram(
      'request_max_num_generation_tokens',
      'Histogram of maximum number of requested generation tokens.',
      tokens,
    ),
    histogram('request_params_n', 'Histogram of the n request parameter.', [1, 2, 5, 10, 20]),
    histogram('request_params_max_tokens', 'Histogram of the max_tokens request parameter.', tokens),
    histogram('time_to_first_token_seconds', 'Histogram of time to first token in seconds.', FIRST_TOKEN_SECONDS),
    histogram('inter_token_latency_seconds', 'Histogram of inter-token latency in seconds.', TOKEN_SECONDS),
    histogram(
      'request_time_per_output_token_seconds',
      'Histogram of time_per_output_token_seconds per request.',
      TOKEN_SECONDS,
    ),
    histogram('e2e_request_latency_seconds', 'Histogram of e2e request latency in seconds.', REQUEST_SECONDS),
    histogram('request_queue_time_seconds', 'Histogram of time spent in WAITING phase for request.', REQUEST_SECONDS),
    histogram(
      'request_inference_time_seconds',
      'Histogram of time spent in RUNNING phase for request.',
      REQUEST_SECONDS,
    ),
    histogram('request_prefill_time_seconds', 'Histogram of time spent in PREFILL phase for request.', REQUEST_SECONDS),
    histogram('request_decode_time_seconds', 'Histogram of time spent in DECODE phase for request.', REQUEST_SECONDS),
    histogram('request_num_preemptions', 'Histogram of the number of times a request was preempted.', PREEMPTIONS),
    histogram(
      'request_prefill_kv_computed_tokens',
      'Histogram of new KV tokens computed during prefill (excluding cached tokens).',
      tokens,
    ),
    {
      ...gauge('cache_config_info', 'Information of the LLMEngine CacheConfig', [cacheConfig(options)]),
      initial: () => 1,
    },
  ];
}

function cacheConfig(options: MetricsOptions): Labels {
  const block = String(options.blockTokens);
  const tokens = options.kvBlocks * options.blockTokens;
  return {
    _block_size_resolved: 'True',
    block_size: block,
    cache_dtype: 'auto',
    cache_hit_alignment_tokens: 'None',
    effective_attention_block_size: block,
    enable_mamba_shared_prefix_checkpoint: 'False',
    enable_prefix_caching: options.prefixCaching ? 'True' : 'False',
    engine: '0',
    gpu_memory_utilization: String(options.gpuMemoryUtilization),
    hash_block_size: 'None',
    is_attention_free: 'False',
    kv_cache_dtype_skip_layers: '[]',
    kv_cache_layout: 'None',
    kv_cache_max_concurrency: (tokens / options.maxModelLen).toFixed(1),
    kv_cache_memory_bytes: 'None',
    kv_cache_size_tokens: String(tokens),
    kv_offloading_backend: 'native',
    kv_offloading_size: 'None',
    kv_sharing_fast_prefill: 'False',
    mamba_block_size: 'None',
    mamba_cache_dtype: 'auto',
    mamba_cache_mode: 'none',
    mamba_page_size_padded: 'None',
    mamba_ssm_cache_dtype: 'float32',
    num_cpu_blocks: 'None',
    num_gpu_blocks: String(options.kvBlocks),
    num_gpu_blocks_override: 'None',
    prefix_cache_retention_interval: '0',
    prefix_caching_hash_algo: 'sha256',
    prefix_match_unit: 'None',
    replayssm_buffer_len: '16',
    skip_page_size_padded: 'None',
    sliding_window: 'None',
    swa_bounded_replay: 'True',
    use_kda_recoverssm: 'False',
    use_replayssm: 'False',
    user_specified_block_size: 'False',
  };
}
