/** A LoRA adapter that is served beside the model. */
export interface LoraModule {
  readonly name: string;
  readonly path: string;
}

/** The command line as this simulator reads it; everything else vLLM knows is accepted and has no effect. */
export interface VllmArguments {
  readonly model: string;
  readonly servedModelNames: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly tensorParallelSize: number;
  /** Undefined: the model's own maximum. */
  readonly maxModelLen: number | undefined;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly gpuMemoryUtilization: number;
  readonly shutdownTimeoutSeconds: number;
  readonly prefixCaching: boolean;
  readonly forceIncludeUsage: boolean;
  readonly promptTokensDetails: boolean;
  readonly autoToolChoice: boolean;
  readonly toolCallParser: string | undefined;
  readonly maxQueuedRequests: number | undefined;
  readonly maxQueuedTokens: number | undefined;
  readonly loraEnabled: boolean;
  readonly loraModules: readonly LoraModule[];
  readonly maxLoraRank: number;
  readonly accessLog: boolean;
  readonly accessLogDisabledFor: readonly string[];
  /** JSON for the platform that vLLM runs on; here the simulator is the platform. */
  readonly additionalConfig: string | undefined;
}

/** What argparse does with bad input: the message goes to stderr after the usage line, the exit code is 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

type Kind = 'string' | 'integer' | 'number' | 'flag' | 'list';

// The arguments of `vllm serve` 0.32 that a deployment may reasonably carry. A name that is absent here is refused, as
// argparse refuses an unknown one: better a false refusal in a test than a typing error that passes.
const KINDS: Record<string, Kind> = {
  ...kinds('string', [
    'model host dtype quantization tool-call-parser reasoning-parser chat-template chat-template-content-format',
    'revision tokenizer tokenizer-revision code-revision tokenizer-mode config-format load-format download-dir',
    'kv-cache-dtype distributed-executor-backend response-role uvicorn-log-level attention-backend',
    'speculative-config compilation-config hf-overrides override-generation-config generation-config runner convert',
    'limit-mm-per-prompt mm-processor-kwargs structured-outputs-config scheduling-policy performance-mode',
    'disable-access-log-for-endpoints optimization-level model-impl block-size kv-cache-memory-bytes',
    'default-chat-template-kwargs prefix-caching-hash-algo additional-config',
  ]),
  ...kinds('integer', [
    'port tensor-parallel-size pipeline-parallel-size data-parallel-size max-num-seqs max-num-batched-tokens',
    'shutdown-timeout max-num-queued-reqs max-num-queued-tokens seed max-logprobs max-log-len max-loras max-lora-rank',
    'max-cpu-loras num-gpu-blocks-override api-server-count max-num-partial-prefills max-parallel-loading-workers',
  ]),
  ...kinds('number', ['gpu-memory-utilization cpu-offload-gb swap-space sse-keep-alive-interval']),
  ...kinds('flag', [
    'enable-force-include-usage enable-auto-tool-choice enable-prefix-caching enable-chunked-prefill enforce-eager',
    'enable-lora enable-log-requests disable-log-stats enable-prompt-tokens-details enable-sleep-mode async-scheduling',
    'enable-server-load-tracking disable-uvicorn-access-log disable-fastapi-docs enable-expert-parallel',
    'enable-request-id-headers return-tokens-as-token-ids skip-tokenizer-init disable-custom-all-reduce',
    'enable-reasoning trust-remote-code language-model-only exclude-tools-when-tool-choice-none',
  ]),
  ...kinds('list', ['served-model-name lora-modules allowed-media-domains allowed-origins middleware']),
  'max-model-len': 'string',
};

function kinds(kind: Kind, lines: string[]): Record<string, Kind> {
  return Object.fromEntries(
    lines
      .join(' ')
      .split(' ')
      .map((name) => [name, kind]),
  );
}

/**
 * Reads `serve MODEL --flag value ...` or `--model MODEL ...` as vLLM's parser does: `--flag=value`, underscores for
 * dashes, `--no-flag`, lists up to the next flag.
 * @throws UsageError with argparse's sentence for an unknown argument or a bad value.
 */
export function parseArguments(argv: readonly string[]): VllmArguments {
  const { values, positional } = collect(argv[0] === 'serve' ? argv.slice(1) : argv);
  const text = (name: string) => values.get(name)?.at(-1);
  const number = (name: string) => optionalNumber(name, text(name));
  const flag = (name: string, fallback: boolean) => (values.has(name) ? text(name) !== 'false' : fallback);
  const list = (name: string) => values.get(name) ?? [];
  const model = positional ?? text('model') ?? 'Qwen/Qwen3-0.6B';
  const names = list('served-model-name');
  const quietPaths = text('disable-access-log-for-endpoints');
  return {
    model,
    servedModelNames: names.length > 0 ? names : [model],
    host: text('host') ?? '0.0.0.0',
    port: number('port') ?? 8000,
    tensorParallelSize: number('tensor-parallel-size') ?? 1,
    maxModelLen: modelLength(text('max-model-len')),
    maxNumSeqs: number('max-num-seqs') ?? 256,
    maxNumBatchedTokens: number('max-num-batched-tokens') ?? 8192,
    gpuMemoryUtilization: number('gpu-memory-utilization') ?? 0.92,
    shutdownTimeoutSeconds: number('shutdown-timeout') ?? 0,
    prefixCaching: flag('enable-prefix-caching', true),
    forceIncludeUsage: flag('enable-force-include-usage', false),
    promptTokensDetails: flag('enable-prompt-tokens-details', false),
    autoToolChoice: flag('enable-auto-tool-choice', false),
    toolCallParser: text('tool-call-parser'),
    maxQueuedRequests: number('max-num-queued-reqs'),
    maxQueuedTokens: number('max-num-queued-tokens'),
    loraEnabled: flag('enable-lora', false),
    loraModules: readLoraModules(list('lora-modules')),
    maxLoraRank: loraRank(text('max-lora-rank')),
    accessLog: !flag('disable-uvicorn-access-log', false),
    accessLogDisabledFor: quietPaths === undefined ? [] : quietPaths.split(','),
    additionalConfig: text('additional-config'),
  };
}

interface Collected {
  values: Map<string, string[]>;
  positional: string | undefined;
}

function collect(argv: readonly string[]): Collected {
  const values = new Map<string, string[]>();
  const unknown: string[] = [];
  let positional: string | undefined;
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? '';
    const option = readOption(argument);
    if (option !== undefined) {
      index += takeOption(option, argv, index + 1, values);
    } else if (positional === undefined && !argument.startsWith('--')) {
      positional = argument;
    } else {
      unknown.push(argument);
    }
  }
  if (unknown.length > 0) throw new UsageError(`unrecognized arguments: ${unknown.join(' ')}`);
  return { values, positional };
}

interface Option {
  readonly name: string;
  readonly kind: Kind;
  readonly negated: boolean;
  /** The text after `=`. */
  readonly inline: string | undefined;
}

function readOption(argument: string): Option | undefined {
  const [, rawName, , inline] = /^--([^=]+)(=([\s\S]*))?$/.exec(argument) ?? [];
  if (rawName === undefined) return undefined;
  const name = rawName.replaceAll('_', '-');
  const kind = KINDS[name];
  if (kind !== undefined) return { name, kind, negated: false, inline };
  const positive = name.replace(/^no-/, '');
  return KINDS[positive] === 'flag' ? { name: positive, kind: 'flag', negated: true, inline } : undefined;
}

/** Stores the option's values and returns how many of the following arguments they were. */
function takeOption(
  { name, kind, negated, inline }: Option,
  argv: readonly string[],
  next: number,
  values: Map<string, string[]>,
): number {
  if (kind === 'flag') {
    values.set(name, [negated ? 'false' : 'true']);
    return 0;
  }
  const given = inline === undefined ? following(argv, next, kind) : [inline];
  if (given.length === 0) throw new UsageError(`argument --${name}: expected ${expected(kind)}`);
  if (kind === 'integer' || kind === 'number') checkNumber(name, kind, given[0] ?? '');
  values.set(name, given);
  return inline === undefined ? given.length : 0;
}

function following(argv: readonly string[], start: number, kind: Kind): string[] {
  const end = argv.findIndex((argument, index) => index >= start && argument.startsWith('--'));
  const given = argv.slice(start, end === -1 ? argv.length : end);
  return kind === 'list' ? given : given.slice(0, 1);
}

function expected(kind: Kind): string {
  return kind === 'list' ? 'at least one argument' : 'one argument';
}

function checkNumber(name: string, kind: 'integer' | 'number', value: string): void {
  const pattern = kind === 'integer' ? /^-?\d+$/ : /^-?\d+(\.\d+)?$/;
  const type = kind === 'integer' ? 'int' : 'float';
  if (!pattern.test(value)) throw new UsageError(`argument --${name}: invalid ${type} value: '${value}'`);
}

function optionalNumber(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (name === 'gpu-memory-utilization' && !(Number(value) > 0 && Number(value) <= 1)) {
    throw new UsageError(`argument --${name}: must be in (0, 1], got ${value}`);
  }
  return Number(value);
}

/** The items of --lora-modules: NAME=PATH, or JSON with both. */
function readLoraModules(items: readonly string[]): LoraModule[] {
  return items.map((item) => {
    const at = item.indexOf('=');
    if (at !== -1 && !item.includes(',')) return { name: item.slice(0, at), path: item.slice(at + 1) };
    try {
      const { name, path } = JSON.parse(item) as Partial<LoraModule>;
      if (typeof name === 'string' && typeof path === 'string') return { name, path };
    } catch {
      throw new UsageError(`Invalid JSON format for --lora-modules: ${item}`);
    }
    throw new UsageError(`Invalid fields for --lora-modules: ${item}`);
  });
}

const LORA_RANKS = ['1', '8', '16', '32', '64', '128', '256', '320', '512'];

function loraRank(value = '16'): number {
  if (LORA_RANKS.includes(value)) return Number(value);
  const choices = LORA_RANKS.join(', ');
  throw new UsageError(`argument --max-lora-rank: invalid choice: ${value} (choose from ${choices})`);
}

/** A length in tokens: plain, or with k, K, m, M as vLLM reads them; `auto` and -1 leave it to the model. */
function modelLength(value: string | undefined): number | undefined {
  if (value === undefined || value === 'auto' || value === '-1') return undefined;
  const [, digits, unit] = /^(\d+)([kKmM]?)$/.exec(value) ?? [];
  if (digits === undefined) throw new UsageError(`argument --max-model-len: invalid value: '${value}'`);
  const factors: Record<string, number> = { k: 1e3, K: 1024, m: 1e6, M: 1024 ** 2 };
  return Number(digits) * (factors[unit ?? ''] ?? 1);
}
