/** Pure: vLLM's log → why the engine failed and what to change. */
import type { ReplicaReason } from '../../api/conditions.ts';
import { engineExceptions, type EngineException } from './engine-exceptions.ts';
import { hostileText, MAX_MESSAGE_LENGTH } from './messages.ts';

export interface EngineCause {
  reason: ReplicaReason;
  message: string;
}

interface Rule {
  /** Of an exception's text; what it matches is shown. Names of pods and hosts stay outside the match. */
  says: RegExp;
  /** A function of the traceback, where the same words call for another step. */
  within?: string;
  /** Applies to an engine that served too: what it matches cannot come from a request. */
  serving?: true;
  reason: ReplicaReason;
  /** A sentence that names what to change. */
  next: string;
}

const MORE_MEMORY = 'choose a hardwareProfile with more memory.';
const CUDA_OUT_OF_MEMORY =
  /(?:CUDA|HIP) out of memory\.(?: Tried to allocate [\d.]+ \w+(?:\. GPU \d+ has a total capacity of [\d.]+ \w+)?)?|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED/;

/** The first that matches an exception counts: causes before what they bring about in the other processes. */
const RULES: readonly Rule[] = [
  {
    says: CUDA_OUT_OF_MEMORY,
    within: 'load_model',
    reason: 'GPUOutOfMemory',
    next: `The weights do not fit: set engine.quantization, or ${MORE_MEMORY}`,
  },
  {
    says: /(?:CUDA|HIP) out of memory occurred when warming up \w+/,
    reason: 'GPUOutOfMemory',
    next: `Lower engine.maxNumSeqs or engine.gpuMemoryUtilizationPercent, or ${MORE_MEMORY}`,
  },
  {
    says: CUDA_OUT_OF_MEMORY,
    serving: true,
    reason: 'GPUOutOfMemory',
    next: `Lower engine.gpuMemoryUtilizationPercent or engine.maxNumSeqs, or ${MORE_MEMORY}`,
  },
  {
    says: /No available memory for the cache blocks/,
    reason: 'GPUOutOfMemory',
    next: `Raise engine.gpuMemoryUtilizationPercent, set engine.quantization, or ${MORE_MEMORY}`,
  },
  {
    says: /Free memory on device \S{0,12} ?\([^)]{1,40}\) on startup is less than desired GPU memory utilization \([^)]{1,40}\)/,
    reason: 'GPUOutOfMemory',
    next: 'Something else uses this GPU: end it, or lower engine.gpuMemoryUtilizationPercent.',
  },
  {
    says: /To serve at least one request with the models?'?s max seq len .{1,80} is larger than the available KV cache memory \([^)]{1,24}\)(?:\. Based on the available memory, the estimated maximum model length is \d+)?/,
    reason: 'GPUOutOfMemory',
    next: 'Lower engine.maxModelLen.',
  },
  {
    says: /The model's max seq len \(\d+\) is larger than the maximum number of tokens that can be stored in KV cache \(\d+\)/,
    reason: 'GPUOutOfMemory',
    next: `Lower engine.maxModelLen, raise engine.gpuMemoryUtilizationPercent, or ${MORE_MEMORY}`,
  },
  {
    says: /Available memory on node \S{1,12} \([^)]{1,40}\) on startup is less than desired CPU memory utilization \([^)]{1,40}\)/,
    reason: 'OutOfMemory',
    next: 'Lower engine.gpuMemoryUtilizationPercent, which counts for main memory too, or free memory on the node.',
  },
  {
    says: /Available memory on node \S{1,12} \([^)]{1,40}\) on kv cache allocation is less than requested memory for kv \([^)]{1,40}\)/,
    reason: 'OutOfMemory',
    next: 'Free memory on the node, or change engine.gpuMemoryUtilizationPercent, which counts for main memory too.',
  },
  {
    says: /DefaultCPUAllocator: (?:can't allocate|not enough) memory|\[Errno 12\] Cannot allocate memory/,
    serving: true,
    reason: 'OutOfMemory',
    next: 'Raise resources.limits.memory of the profile.',
  },
  {
    says: /\[Errno 28\] No space left on device/,
    serving: true,
    reason: 'DiskFull',
    next: 'Raise modelCache.sizeLimit or sharedMemory of the profile, or free disk on the node.',
  },
  {
    says: /Model architectures \[.{1,120}?\] are not supported|Model architecture \w{1,80} (?:was supported in vLLM until [\w.]+, and )?is not supported (?:in-tree )?anymore|The checkpoint you are trying to load has model type `[^`]{1,80}` but Transformers does not recognize this architecture/,
    reason: 'UnsupportedArchitecture',
    next: 'Choose another model, or a hardwareProfile whose image has a vLLM that supports it.',
  },
  {
    says: /The repository \S{1,160} contains custom code which must be executed|Loading \S{1,160} requires you to execute the \w+ file|Failed to load the (?:model config|tokenizer)\. If the (?:model|tokenizer) is a custom (?:model|tokenizer) not yet available in the HuggingFace transformers library/,
    reason: 'UnsupportedArchitecture',
    next: "Infer runs no code of a model's repository: choose a model that vLLM supports without trust_remote_code.",
  },
  {
    says: /User-specified max_model_len \(\d+\) is greater than the derived max_model_len \([^)]{1,120}\)/,
    reason: 'EngineFailed',
    next: 'Lower engine.maxModelLen.',
  },
  {
    says: /Error while deserializing header: [\w ,.:-]{1,100}|Cannot find any model weights with `[^`]{1,120}`|Following weights were not initialized from checkpoint/,
    reason: 'EngineFailed',
    next: 'The weights are damaged or incomplete: delete the pod to download them again, or repair the files of model.claim.',
  },
  {
    says: /(?:Can't load the|It looks like the) config(?:uration)? (?:of|file at) '[^']{1,120}'(?: is not a valid JSON file)?|Invalid repository ID or local directory specified: '[^']{1,120}'|No such file or directory: ["'][^"']{1,160}["']|We couldn't connect to '[^']{1,120}' to load the files, and couldn't find them in the cached files/,
    reason: 'ModelNotFound',
    next: 'Check spec.model: its directory must hold config.json, tokenizer and all safetensors files.',
  },
  {
    says: /World size \(\d+\) is larger than the number of available GPUs \(\d+\) in this node/,
    reason: 'EngineFailed',
    next: 'Check accelerator.count and accelerator.resource of the profile.',
  },
  {
    says: /Total number of attention heads \(\d+\) must be divisible by tensor parallel size \(\d+\)|^\d+ is not divisible by \d+/,
    reason: 'EngineFailed',
    next: 'Choose a hardwareProfile with another number of GPUs.',
  },
  {
    says: /Unknown quantization method: [\w.-]{1,40}|argument --quantization\/-q: invalid choice: '[^']{1,40}'|Quantization method specified in the model config \([\w.-]{1,40}\) does not match the quantization method specified in the `quantization` argument \([\w.-]{1,40}\)|The quantization method [\w.-]{1,40} is not supported for the current GPU\. Minimum capability: \d+\. Current capability: \d+/,
    reason: 'EngineFailed',
    next: 'Change or remove engine.quantization, or choose another hardwareProfile.',
  },
  {
    says: /torch\.\w{1,20} is not supported for quantization method [\w.-]{1,40}|Bfloat16 is only supported on GPUs with compute capability of at least 8\.0/,
    reason: 'EngineFailed',
    next: 'Set engine.dtype to half.',
  },
  {
    says: /invalid (?:tool call|reasoning) parser: [\w.-]{1,60}/,
    reason: 'EngineFailed',
    next: 'Change engine.toolCallParser or engine.reasoningParser.',
  },
  {
    says: /LoRA rank \d+ is greater than max_lora_rank \d+/,
    reason: 'EngineFailed',
    next: 'Raise --max-lora-rank in args of the profile, or choose another adapter.',
  },
  {
    says: /Loading lora [\w.:-]{1,170} failed: No adapter found for \S{1,160}/,
    reason: 'ModelNotFound',
    next: 'Check spec.adapters: the folder must hold adapter_config.json and adapter_model.safetensors.',
  },
  {
    says: /\w{1,80} does not support LoRA yet/,
    reason: 'EngineFailed',
    next: 'Remove spec.adapters, or choose another model.',
  },
  {
    says: /vLLM does not (?:yet )?support (?:DoRA|LoRA bias|Activated LoRA|layer_replication|block-diagonal LoRA|QALoRA|init_lora_weights)|vLLM only supports modules_to_save|Adapter bias is not supported/,
    reason: 'EngineFailed',
    next: 'Choose another adapter in spec.adapters: a plain LoRA, as PEFT saves it.',
  },
  {
    says: /unrecognized arguments: .{1,120}|argument --[\w/-]{1,60}: .{1,120}/,
    reason: 'EngineFailed',
    next: 'Check args of the profile and the fields of engine.',
  },
  {
    says: /Found no NVIDIA driver on your system|No CUDA GPUs are available|The NVIDIA driver on your system is too old(?: \(found version \d+\))?|CUDA driver version is insufficient for CUDA runtime version|CUDA driver initialization failed|Unexpected error from cudaGetDeviceCount|libcuda\.so\.1: cannot open shared object file|Failed to infer device type/,
    reason: 'EngineFailed',
    next: "The engine finds no usable GPU: check the node's driver, and runtimeClassName and image of the profile.",
  },
  {
    says: /no kernel image is available for execution on the device/,
    reason: 'EngineFailed',
    next: 'The image does not support this GPU: change image of the profile, or choose another hardwareProfile.',
  },
  {
    says: /NCCL error(?: in)?: (?:[\w./:-]{1,100}, )?(?:unhandled|internal|invalid|remote|[a-z ]{0,20}error)[a-z ]{0,40}/,
    serving: true,
    reason: 'EngineFailed',
    next: 'The GPUs of the replica cannot talk to each other: raise sharedMemory of the profile, or check the node.',
  },
  {
    says: /CUDA error: [a-z ,-]{1,100}?(?= on \S|$|[.;])/,
    serving: true,
    reason: 'EngineFailed',
    next: 'Where it comes again, check the GPU of the node, or change image of the profile.',
  },
];

/**
 * Returns why the engine that wrote `log` ended, in at most 300 characters, as it said it and with what to change;
 * undefined where the log does not tell.
 */
export function classifyEngineLog(log: string): EngineCause | undefined {
  const exceptions = engineExceptions(log);
  for (const rule of RULES) {
    for (const exception of exceptions) {
      const [said] = (applies(rule, exception) ? rule.says.exec(exception.text) : undefined) ?? [];
      if (said !== undefined) return { reason: rule.reason, message: sentences(said, rule.next) };
    }
  }
  const last = exceptions.at(-1);
  return last && { reason: 'EngineFailed', message: unclassified(last) };
}

function applies({ within, serving }: Rule, { functions, while: when }: EngineException): boolean {
  return (within === undefined || functions.includes(within)) && (when === 'starting' || serving === true);
}

/** Nobody knows what an exception of a serving engine repeats of a request: only its class is shown. */
function unclassified({ type, text, while: when }: EngineException): string {
  return when === 'serving'
    ? sentences(`The engine ended with ${type} while it served`, 'Its log says more.')
    : sentences(`The engine did not start: ${text === '' ? type : `${type}: ${text}`}`, 'Its log says more.');
}

function sentences(said: string, next: string): string {
  const cause = hostileText(said, MAX_MESSAGE_LENGTH - next.length - 2);
  return `${cause}${/[.!?…]$/.test(cause) ? '' : '.'} ${next}`;
}
