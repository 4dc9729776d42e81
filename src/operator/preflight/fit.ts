/**
 * Whether a model fits the memory of a profile's accelerators. An estimate that errs on the side of the model: what might
 * run is not refused, and vLLM has the last word.
 */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { ModelFacts } from '../../preflight/result.ts';
import type { EngineSettings } from '../resources/engine.ts';
import { flagsOf, type Flags } from './flags.ts';

/** What is known of the model, as far as it counts for memory. */
export type ModelSize = Partial<
  Pick<ModelFacts, 'weightBytes' | 'float32Bytes' | 'contextLength' | 'quantization' | 'dtype' | 'attention'>
>;

export interface FitInput {
  profileName: string;
  profile: HardwareProfileSpec;
  /** Those in force, of the deployment and the catalogue. */
  engine: EngineSettings;
  model: ModelSize;
}

const GIB = 2 ** 30;
/** vLLM's own, of gpu_memory_utilization. */
const DEFAULT_UTILIZATION = 0.92;
/** CUDA's context and the least that a forward pass needs, per GPU. */
const OVERHEAD_GIB = 0.5;
/** What a forward pass and CUDA graphs take of a large model; a context that is advised has to leave room for it. */
const ADVISED_OVERHEAD_GIB = 2.5;
/** The sum must exceed the memory by so much: files hold some weights that are not loaded. */
const MARGIN = 1.05;
/** A context below this is no advice. */
const LEAST_CONTEXT = 1024;

/** Bits of a weight after quantization on load, of 16. Methods that are not listed count as the smallest. */
const LOADED_BITS: ReadonlyMap<string, number> = new Map([
  ['fp8', 8],
  ['fp8_per_tensor', 8],
  ['fp8_per_block', 8],
  ['fp8_per_channel', 8],
  ['mxfp8', 8],
  ['int8_per_channel_weight_only', 8],
  ['experts_int8', 8],
]);
const SMALLEST_BITS = 4;

/** With these flags memory is used in other ways than are known here. */
const BEYOND = ['cpu-offload-gb', 'kv-cache-memory-bytes', 'hf-overrides', 'quantization-config', 'load-format'];

interface Estimate {
  readonly gpus: number;
  /** All memory that vLLM may take, over all GPUs. */
  readonly memoryGiB: number;
  readonly weightsGiB: number;
  readonly context: number | undefined;
  /** Over all GPUs; undefined where the KV cache is not known. */
  readonly tokenGiB: number | undefined;
}

/**
 * Returns why the model cannot run on the profile, with what to do, or undefined where it fits or where that cannot be
 * told: without an accelerator, or without facts.
 */
export function fitProblem(input: FitInput): { reason: 'ModelTooLarge'; message: string } | undefined {
  const flags = flagsOf(input.profile.args ?? []);
  const estimate = BEYOND.some((name) => flags.has(name)) ? undefined : estimateOf(input, flags);
  if (estimate === undefined) return undefined;
  const { gpus, memoryGiB, weightsGiB, context, tokenGiB } = estimate;
  const limit = memoryGiB * MARGIN - gpus * OVERHEAD_GIB;
  const has = `vLLM may take ${amount(memoryGiB)} of the ${gpus} x ${input.profile.accelerator?.memoryGiB} GiB of ${input.profileName}`;
  if (weightsGiB > limit) {
    const message =
      `The weights of the model need about ${amount(weightsGiB)} of GPU memory, and ${has}: ` +
      `${smallerWeights(input, flags, estimate)}.`;
    return { reason: 'ModelTooLarge', message };
  }
  if (context === undefined || tokenGiB === undefined || weightsGiB + context * tokenGiB <= limit) return undefined;
  const room = memoryGiB - gpus * ADVISED_OVERHEAD_GIB - weightsGiB;
  const advised = Math.floor(room / tokenGiB / LEAST_CONTEXT) * LEAST_CONTEXT;
  const larger = 'choose a larger profile';
  const next = advised >= LEAST_CONTEXT ? `set spec.engine.maxModelLen to at most ${advised}, or ${larger}` : larger;
  const message =
    `The model needs about ${amount(weightsGiB)} of GPU memory for weights and ${amount(context * tokenGiB)} for a ` +
    `context of ${context} tokens, and ${has}: ${next}.`;
  return { reason: 'ModelTooLarge', message };
}

function estimateOf({ profile, engine, model }: FitInput, flags: Flags): Estimate | undefined {
  const { accelerator } = profile;
  if (accelerator === undefined || model.weightBytes === undefined) return undefined;
  const gpus = accelerator.count ?? 1;
  const percent = engine.gpuMemoryUtilizationPercent;
  const utilization = percent === undefined ? flags.number('gpu-memory-utilization') : percent / 100;
  const dtype = engine.dtype ?? flags.get('dtype') ?? 'auto';
  // A length in words, as 32k or auto, is not known here.
  const ofProfile = flags.has('max-model-len') ? flags.number('max-model-len') : model.contextLength;
  return {
    gpus,
    memoryGiB: gpus * accelerator.memoryGiB * (utilization ?? DEFAULT_UTILIZATION),
    weightsGiB: (loadedWeights(model, dtype) * quantizedShare(model, engine, flags)) / GIB,
    context: engine.maxModelLen ?? ofProfile,
    tokenGiB: tokenMemory(model, gpus, dtype, flags),
  };
}

/** Bytes of the weights in the number format that vLLM loads them in; it halves floats of 32 bits unless told otherwise. */
function loadedWeights(model: ModelSize, dtype: string): number {
  const { weightBytes = 0, quantization } = model;
  const float32 = Math.min(weightBytes, model.float32Bytes ?? (model.dtype === 'float32' ? weightBytes : 0));
  if (!isFloat32(dtype)) return weightBytes - float32 / 2;
  return quantization === undefined ? float32 + 2 * (weightBytes - float32) : weightBytes;
}

/** How much of the weights is left once they are quantized on load; those that are stored quantized stay as they are. */
function quantizedShare(model: ModelSize, engine: EngineSettings, flags: Flags): number {
  const method = engine.quantization ?? flags.get('quantization');
  if (model.quantization !== undefined || method === undefined) return 1;
  return (LOADED_BITS.get(method) ?? SMALLEST_BITS) / 16;
}

/** Memory that one token of context takes in GiB, over all GPUs. */
function tokenMemory(model: ModelSize, gpus: number, dtype: string, flags: Flags): number | undefined {
  if (model.attention === undefined || flags.has('decode-context-parallel-size')) return undefined;
  const { layers, kvHeads, headDim } = model.attention;
  const cache = flags.get('kv-cache-dtype') ?? 'auto';
  const bytes = cacheBytes(cache, dtype);
  // A GPU holds at least one head, so with fewer heads than GPUs some hold the same.
  const heads = Math.max(1, Math.floor(kvHeads / gpus)) * gpus;
  return bytes === undefined ? undefined : (2 * layers * heads * headDim * bytes) / GIB;
}

function cacheBytes(cache: string, dtype: string): number | undefined {
  if (cache === 'auto') return isFloat32(dtype) ? 4 : 2;
  if (cache === 'bfloat16' || cache === 'float16') return 2;
  return cache.startsWith('fp8') ? 1 : undefined;
}

function isFloat32(dtype: string): boolean {
  return dtype === 'float' || dtype === 'float32';
}

/** What helps where not even the weights fit. */
function smallerWeights(input: FitInput, flags: Flags, estimate: Estimate): string {
  const larger = 'choose a larger profile';
  const isQuantized = input.model.quantization !== undefined || quantizedShare(input.model, input.engine, flags) < 1;
  const room = estimate.memoryGiB - estimate.gpus * ADVISED_OVERHEAD_GIB;
  return isQuantized || estimate.weightsGiB / 2 > room ? larger : `${larger}, or set spec.engine.quantization to fp8`;
}

function amount(gib: number): string {
  return `${gib < 100 ? gib.toFixed(1) : Math.round(gib)} GiB`;
}
