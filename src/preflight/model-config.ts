/** What a model's config.json says, read as vLLM 0.32 reads it. It comes from strangers: each value may be anything. */
import { MAX_CONTEXT_LENGTH, type ModelFacts } from './result.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export type ConfigFacts = Pick<ModelFacts, 'contextLength' | 'architecture' | 'quantization' | 'dtype' | 'attention'>;

/** vLLM takes the smallest of these that are there. */
const LENGTH_KEYS = [
  'max_position_embeddings',
  'n_positions',
  'max_seq_len',
  'seq_length',
  'model_max_length',
  'max_target_positions',
  'max_sequence_length',
  'max_seq_length',
  'seq_len',
];

/** Rope types whose factor is contained in the length already. */
const SCALED_ALREADY = new Set(['su', 'longrope', 'llama3', 'yarn', 'deepseek_yarn', 'deepseek_llama_scaling']);

/**
 * Kinds of models whose layers all keep keys and values of every token, unless `hasOtherLayers`. Of other kinds the KV
 * cache is not known: latent attention, windows, state spaces and encoders need less than this would count.
 */
const PLAIN_ATTENTION = new Set(
  (
    'llama mistral mixtral qwen2 qwen2_moe qwen3 qwen3_moe qwen2_vl qwen2_5_vl qwen3_vl qwen3_vl_moe granite granitemoe ' +
    'olmo olmo2 olmoe gpt_neox stablelm starcoder2 internlm2 internlm3 glm glm4 glm4_moe nemotron arcee smollm3 ' +
    'seed_oss cohere phi3 ministral3 ernie4_5 ernie4_5_moe hunyuan_v1_dense hunyuan_v1_moe'
  ).split(' '),
);

const GENERATES = /(ForCausalLM|ForConditionalGeneration|LMHeadModel)$/;

/** Returns what the configuration says; what it does not say, or says in a form that is not understood, is absent. */
export function factsOfConfig(config: JsonObject): ConfigFacts {
  const text = textConfig(config);
  const architectures = config['architectures'];
  const architecture = words(Array.isArray(architectures) ? architectures[0] : undefined);
  const quantization = quantizationOf(config) ?? quantizationOf(text);
  const generates = architecture !== undefined && GENERATES.test(architecture);
  return {
    contextLength: contextLength(text),
    architecture,
    quantization: quantization === undefined ? undefined : quantizationMethod(quantization),
    dtype: [config['dtype'], config['torch_dtype'], text['dtype'], text['torch_dtype']].map(dtype).find(isDefined),
    attention: generates && !quantizesCache(quantization) ? attention(text) : undefined,
  };
}

/** Models of several media hold the language model's part apart. */
function textConfig(config: JsonObject): JsonObject {
  const names = ['text_config', 'text_encoder', 'decoder', 'generator'];
  const thinker = object(config['thinker_config']);
  return names.map((name) => object(config[name])).find(isDefined) ?? (thinker ? textConfig(thinker) : config);
}

function contextLength(text: JsonObject): number | undefined {
  const lengths = LENGTH_KEYS.map((key) => text[key]).filter(isLength);
  const own = isLength(text['model_max_length']) ? text['model_max_length'] : undefined;
  const derived = own ?? (lengths.length > 0 ? Math.min(...lengths) : undefined);
  const ropes = ropeParameters(text);
  const original = text['original_max_position_embeddings'];
  if (ropes.some(({ type }) => type === 'longrope' || type === 'su') && isLength(original)) return original;
  if (derived === undefined) return undefined;
  // Gemma 3 states its length with the factor.
  const scaled = words(text['model_type'])?.includes('gemma3') === true ? [] : ropes;
  const factor = scaled.findLast(({ type, factor: value }) => !SCALED_ALREADY.has(type) && value !== undefined)?.factor;
  const length = Math.floor(derived * (factor ?? 1));
  return isLength(length) ? length : undefined;
}

/** One, or one for each kind of layers; older configurations have `rope_scaling` with `type`. */
function ropeParameters(text: JsonObject): { type: string; factor: number | undefined }[] {
  const rope = object(text['rope_parameters']) ?? object(text['rope_scaling']);
  if (rope === undefined) return [];
  const nested = Object.values(rope).map(object).filter(isDefined);
  return (nested.length > 0 ? nested : [rope]).map((parameters) => {
    const factor = parameters['factor'];
    return {
      type: words(parameters['rope_type'] ?? parameters['type']) ?? 'default',
      factor: typeof factor === 'number' && factor > 0 ? factor : undefined,
    };
  });
}

function attention(text: JsonObject): ConfigFacts['attention'] {
  const heads = count(text['num_attention_heads'], 10_000);
  const kvHeads = count(text['num_key_value_heads'], 10_000) ?? heads;
  const layers = count(text['num_hidden_layers'], 10_000);
  const hidden = count(text['hidden_size'], 1e9);
  const derived = hidden === undefined || heads === undefined ? undefined : Math.floor(hidden / heads);
  const headDim = count(text['head_dim'], 100_000) ?? count(derived, 100_000);
  const kind = words(text['model_type'])?.replace(/_text$/, '') ?? '';
  const known = PLAIN_ATTENTION.has(kind) && !hasOtherLayers(text);
  if (!known || layers === undefined || kvHeads === undefined || headDim === undefined) return undefined;
  return { layers, kvHeads, headDim };
}

function hasOtherLayers(text: JsonObject): boolean {
  const window = isLength(text['sliding_window']) && text['use_sliding_window'] !== false;
  const types = text['layer_types'];
  const mixed = types !== undefined && types !== null && !(Array.isArray(types) && types.every(isFullAttention));
  const others = ['kv_lora_rank', 'attention_chunk_size', 'block_configs', 'per_layer_config', 'num_kv_shared_layers'];
  return window || mixed || others.some((key) => (text[key] ?? 0) !== 0);
}

function isFullAttention(type: unknown): boolean {
  return type === 'full_attention';
}

function quantizationOf(config: JsonObject): JsonObject | undefined {
  const quantization = object(config['quantization_config']);
  if (quantization !== undefined) return quantization;
  const compression = object(config['compression_config']);
  return compression && { quant_method: 'compressed-tensors', ...compression };
}

function quantizationMethod(quantization: JsonObject): string {
  const method = quantization['quant_method'];
  // Some of ModelOpt's say only who made them. That they are quantized counts, not by what.
  if (method === undefined) return object(quantization['producer']) === undefined ? 'unknown' : 'modelopt';
  return words(method)?.toLowerCase().replace('compressed_tensors', 'compressed-tensors') ?? 'unknown';
}

/** Whether the model brings a smaller number format for keys and values, which then take half or less. */
function quantizesCache(quantization: JsonObject | undefined): boolean {
  if (quantization === undefined) return false;
  const nested = object(quantization['quantization']) ?? {};
  const keys = ['kv_cache_scheme', 'kv_cache_quant_algo'];
  return keys.some((key) => (quantization[key] ?? nested[key] ?? null) !== null);
}

function dtype(value: unknown): string | undefined {
  return words(value)?.replace(/^torch\./, '');
}

function object(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** Printable text of a length that fits a result. */
export function words(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\x20-\x7e]{1,128}$/.test(value) ? value : undefined;
}

function count(value: unknown, most: number): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most ? value : undefined;
}

function isLength(value: unknown): value is number {
  return count(value, MAX_CONTEXT_LENGTH) !== undefined;
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined;
}
