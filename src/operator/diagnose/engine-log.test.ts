import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  configurationFailure,
  CRASH,
  engineRunFailure,
  engineStartFailure,
  GPU_OUT_OF_MEMORY,
  logged,
  prefixed,
} from '../../../test/vllm-sim/log.ts';
import { missingModel, unsupported, type ModelError } from '../../../test/vllm-sim/model.ts';
import { classifyEngineLog } from './engine-log.ts';

const MODEL = '/var/lib/infer/model';

function typed({ type, message }: ModelError): string {
  return `${type}: ${message}`;
}

/** How the API server of vLLM prints what pydantic says of a wrong configuration. */
function invalidConfiguration(message: string): string {
  return configurationFailure(
    'pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n' +
      `  Value error, ${message} [type=value_error, input_value=ArgsKwargs((), {'model': '${MODEL}'}), input_type=ArgsKwargs]\n` +
      '    For further information visit https://errors.pydantic.dev/2.12/v/value_error',
  );
}

/** How the worker of one of several GPUs tells that it could not start. */
function workerFailure(rank: number, error: string): string {
  return ['WorkerProc failed to start.', 'Traceback (most recent call last):', '  File "w.py", line 1, in init', error]
    .map((line) => `(Worker_TP${rank} pid=${300 + rank}) ERROR 11-25 10:57:47 [multiproc_executor.py:953] ${line}`)
    .join('\r\n');
}

/** Returns `log` with `planted` after the text of each exception. */
function plant(log: string, planted: string): string {
  return log.replaceAll(/^.*\b\w+(?:Error|Exception): .*$/gm, `$& ${planted}`);
}

/** An exception of vLLM while the engine process starts. */
const starting = engineStartFailure;

const ARCHITECTURE = 'UnsupportedArchitecture';
const rows: [sentence: string, log: string, reason: string, message: string][] = [
  [
    'GPU memory that the weights do not fit into asks for quantization or more memory',
    starting(GPU_OUT_OF_MEMORY),
    'GPUOutOfMemory',
    'CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 23.56 GiB. The weights do not fit: set engine.quantization, or choose a hardwareProfile with more memory.',
  ],
  [
    'GPU memory that runs out while it serves asks for fewer requests at the same time',
    engineRunFailure(GPU_OUT_OF_MEMORY),
    'GPUOutOfMemory',
    'CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 23.56 GiB. Lower engine.gpuMemoryUtilizationPercent or engine.maxNumSeqs, or choose a hardwareProfile with more memory.',
  ],
  [
    'GPU memory that runs out while the sampler warms up',
    starting(
      'RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try lowering `max_num_seqs` or `gpu_memory_utilization` when initializing the engine.',
    ),
    'GPUOutOfMemory',
    'CUDA out of memory occurred when warming up sampler. Lower engine.maxNumSeqs or engine.gpuMemoryUtilizationPercent, or choose a hardwareProfile with more memory.',
  ],
  [
    'no memory left for the KV cache',
    starting(
      'ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine (this flag also controls CPU memory reservation on the CPU backend, despite its name). See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details.',
    ),
    'GPUOutOfMemory',
    'No available memory for the cache blocks. Raise engine.gpuMemoryUtilizationPercent, set engine.quantization, or choose a hardwareProfile with more memory.',
  ],
  [
    'a GPU that something else uses',
    starting(
      'ValueError: Free memory on device cuda:0 (10.52/79.11 GiB) on startup is less than desired GPU memory utilization (0.92, 72.78 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.',
    ),
    'GPUOutOfMemory',
    'Free memory on device cuda:0 (10.52/79.11 GiB) on startup is less than desired GPU memory utilization (0.92, 72.78 GiB). Something else uses this GPU: end it, or lower engine.gpuMemoryUtilizationPercent.',
  ],
  [
    "a context that the KV cache cannot hold, with vLLM's estimate of what it can",
    starting(
      "ValueError: To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is needed, which is larger than the available KV cache memory (7.83 GiB). Based on the available memory, the estimated maximum model length is 64128. Try increasing `gpu_memory_utilization` (which also controls CPU memory on the CPU backend) or decreasing `max_model_len` when initializing the engine.",
    ),
    'GPUOutOfMemory',
    "To serve at least one request with the model's max seq len (131072), (16.0 GiB KV cache is needed, which is larger than the available KV cache memory (7.83 GiB). Based on the available memory, the estimated maximum model length is 64128. Lower engine.maxModelLen.",
  ],
  [
    'the same in the words of earlier releases',
    starting(
      "ValueError: The model's max seq len (32768) is larger than the maximum number of tokens that can be stored in KV cache (20480). Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
    ),
    'GPUOutOfMemory',
    "The model's max seq len (32768) is larger than the maximum number of tokens that can be stored in KV cache (20480). Lower engine.maxModelLen, raise engine.gpuMemoryUtilizationPercent, or choose a hardwareProfile with more memory.",
  ],
  [
    'main memory that the CPU engine wants to reserve and the node does not have',
    starting(
      'ValueError: Available memory on node 0 (3.11/15.62 GiB) on startup is less than desired CPU memory utilization (0.92, 14.37 GiB). On the CPU backend, the `--gpu-memory-utilization` flag controls the fraction of CPU memory reserved (despite its name).',
    ),
    'OutOfMemory',
    'Available memory on node 0 (3.11/15.62 GiB) on startup is less than desired CPU memory utilization (0.92, 14.37 GiB). Lower engine.gpuMemoryUtilizationPercent, which counts for main memory too, or free memory on the node.',
  ],
  [
    'main memory that runs out',
    starting(
      "RuntimeError: [enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 2147483648 bytes. Error code 12 (Cannot allocate memory)",
    ),
    'OutOfMemory',
    "DefaultCPUAllocator: can't allocate memory. Raise resources.limits.memory of the profile.",
  ],
  [
    'a disk that is full',
    starting('OSError: [Errno 28] No space left on device'),
    'DiskFull',
    '[Errno 28] No space left on device. Raise modelCache.sizeLimit or sharedMemory of the profile, or free disk on the node.',
  ],
  [
    'a model class that vLLM does not have',
    configurationFailure(typed(unsupported(['FuturisticForCausalLM']))),
    ARCHITECTURE,
    "Model architectures ['FuturisticForCausalLM'] are not supported. Choose another model, or a hardwareProfile whose image has a vLLM that supports it.",
  ],
  [
    'a model class that vLLM had once',
    invalidConfiguration(
      'Model architecture Phi4FlashForCausalLM was supported in vLLM until v0.10.2, and is not supported anymore. Please use an older version of vLLM if you want to use this model architecture.',
    ),
    ARCHITECTURE,
    'Model architecture Phi4FlashForCausalLM was supported in vLLM until v0.10.2, and is not supported anymore. Choose another model, or a hardwareProfile whose image has a vLLM that supports it.',
  ],
  [
    'a model that brings its own code',
    configurationFailure(
      `ValueError: The repository ${MODEL} contains custom code which must be executed to correctly load the model. You can inspect the repository content at ${MODEL} .\nYou can inspect the repository content at https://hf.co/.\nPlease pass the argument \`trust_remote_code=True\` to allow custom code to be run.`,
    ),
    ARCHITECTURE,
    `The repository ${MODEL} contains custom code which must be executed. Infer runs no code of a model's repository: choose a model that vLLM supports without trust_remote_code.`,
  ],
  [
    'a longer context than the model has',
    invalidConfiguration(
      "User-specified max_model_len (40960) is greater than the derived max_model_len (max_position_embeddings=8192 or model_max_length=None in model's config.json). To allow overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.",
    ),
    'EngineFailed',
    "User-specified max_model_len (40960) is greater than the derived max_model_len (max_position_embeddings=8192 or model_max_length=None in model's config.json). Lower engine.maxModelLen.",
  ],
  [
    'weights that were cut short',
    starting(
      'safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata, file not fully covered',
    ),
    'EngineFailed',
    'Error while deserializing header: incomplete metadata, file not fully covered. The weights are damaged or incomplete: delete the pod to download them again, or repair the files of model.claim.',
  ],
  [
    'a directory without weights',
    starting(`RuntimeError: Cannot find any model weights with \`${MODEL}\``),
    'EngineFailed',
    `Cannot find any model weights with \`${MODEL}\`. The weights are damaged or incomplete: delete the pod to download them again, or repair the files of model.claim.`,
  ],
  [
    'a shard that is missing',
    starting(`FileNotFoundError: No such file or directory: "${MODEL}/model-2.safetensors"`),
    'ModelNotFound',
    `No such file or directory: "${MODEL}/model-2.safetensors". Check spec.model: its directory must hold config.json, tokenizer and all safetensors files.`,
  ],
  [
    'a path without a model',
    configurationFailure(typed(missingModel('/var/lib/infer/model/typo'))),
    'ModelNotFound',
    "Invalid repository ID or local directory specified: '/var/lib/infer/model/typo'. Check spec.model: its directory must hold config.json, tokenizer and all safetensors files.",
  ],
  [
    'more GPUs asked of vLLM than the container sees',
    configurationFailure(
      'ValueError: World size (4) is larger than the number of available GPUs (1) in this node. If this is intentional and you are using:\n- ray, set --distributed-executor-backend ray.',
    ),
    'EngineFailed',
    'World size (4) is larger than the number of available GPUs (1) in this node. Check accelerator.count and accelerator.resource of the profile.',
  ],
  [
    'a number of GPUs that the model cannot be split over',
    configurationFailure(
      'ValueError: Total number of attention heads (25) must be divisible by tensor parallel size (2).',
    ),
    'EngineFailed',
    'Total number of attention heads (25) must be divisible by tensor parallel size (2). Choose a hardwareProfile with another number of GPUs.',
  ],
  [
    'a quantization that vLLM does not know',
    invalidConfiguration("Unknown quantization method: int3. Must be one of ['awq', 'fp8', 'gptq']."),
    'EngineFailed',
    'Unknown quantization method: int3. Change or remove engine.quantization, or choose another hardwareProfile.',
  ],
  [
    'a quantization that is not that of the weights',
    invalidConfiguration(
      'Quantization method specified in the model config (awq) does not match the quantization method specified in the `quantization` argument (fp8).',
    ),
    'EngineFailed',
    'Quantization method specified in the model config (awq) does not match the quantization method specified in the `quantization` argument (fp8). Change or remove engine.quantization, or choose another hardwareProfile.',
  ],
  [
    'a number format that the GPU does not have',
    starting(
      'ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has compute capability 7.5. You can use float16 instead by explicitly setting the `dtype` flag in CLI, for example: --dtype=half.',
    ),
    'EngineFailed',
    'Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Set engine.dtype to half.',
  ],
  [
    'a parser that vLLM does not have',
    configurationFailure("KeyError: 'invalid tool call parser: llama9 (chose from { hermes,llama3_json })'"),
    'EngineFailed',
    'invalid tool call parser: llama9. Change engine.toolCallParser or engine.reasoningParser.',
  ],
  [
    'an adapter of a higher rank than the engine has room for names the argument',
    configurationFailure('ValueError: Call to add_lora method failed: LoRA rank 128 is greater than max_lora_rank 64.'),
    'EngineFailed',
    'LoRA rank 128 is greater than max_lora_rank 64. Raise --max-lora-rank in args of the profile, or choose another adapter.',
  ],
  [
    'an adapter that is not in the volume',
    configurationFailure(`ValueError: Loading lora chat:sql failed: No adapter found for ${MODEL}/loras/sql`),
    'ModelNotFound',
    `Loading lora chat:sql failed: No adapter found for ${MODEL}/loras/sql. Check spec.adapters: the folder must hold adapter_config.json and adapter_model.safetensors.`,
  ],
  [
    'a model that takes no adapters',
    starting('ValueError: TransfusionNet does not support LoRA yet.'),
    'EngineFailed',
    'TransfusionNet does not support LoRA yet. Remove spec.adapters, or choose another model.',
  ],
  [
    'an adapter of a kind that vLLM does not load',
    configurationFailure('ValueError: Call to add_lora method failed: vLLM does not yet support DoRA.'),
    'EngineFailed',
    'vLLM does not yet support DoRA. Choose another adapter in spec.adapters: a plain LoRA, as PEFT saves it.',
  ],
  [
    'an argument that vLLM does not have, which ends it without a traceback',
    'usage: vllm serve [model_tag] [options]\nvllm serve: error: unrecognized arguments: --max-model-length=4096',
    'EngineFailed',
    'unrecognized arguments: --max-model-length=4096. Check args of the profile and the fields of engine.',
  ],
  [
    'a node without a driver',
    configurationFailure(
      'RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from http://www.nvidia.com/Download/index.aspx',
    ),
    'EngineFailed',
    "Found no NVIDIA driver on your system. The engine finds no usable GPU: check the node's driver, and runtimeClassName and image of the profile.",
  ],
  [
    'a driver older than the image wants',
    starting(
      'RuntimeError: The NVIDIA driver on your system is too old (found version 12020). Please update your GPU driver by downloading and installing a new version.',
    ),
    'EngineFailed',
    "The NVIDIA driver on your system is too old (found version 12020). The engine finds no usable GPU: check the node's driver, and runtimeClassName and image of the profile.",
  ],
  [
    'a GPU that the image has no kernels for',
    starting('torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device'),
    'EngineFailed',
    'no kernel image is available for execution on the device. The image does not support this GPU: change image of the profile, or choose another hardwareProfile.',
  ],
  [
    'GPUs that cannot talk to each other',
    starting(
      'torch.distributed.DistBackendError: NCCL error in: /pytorch/torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:3690, unhandled system error (run with NCCL_DEBUG=INFO for details), NCCL version 2.28.9',
    ),
    'EngineFailed',
    'NCCL error in: /pytorch/torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:3690, unhandled system error. The GPUs of the replica cannot talk to each other: raise sharedMemory of the profile, or check the node.',
  ],
  [
    'a kernel that crashes, without the name of the host',
    engineRunFailure(CRASH),
    'EngineFailed',
    'CUDA error: an illegal memory access was encountered. Where it comes again, check the GPU of the node, or change image of the profile.',
  ],
  [
    'an exception of the start that no rule knows is told as the engine said it',
    starting("AttributeError: 'LlamaConfig' object has no attribute 'rope_theta'"),
    'EngineFailed',
    "The engine did not start: AttributeError: 'LlamaConfig' object has no attribute 'rope_theta'. Its log says more.",
  ],
  [
    'an exception without a text is told by its class',
    starting('AssertionError'),
    'EngineFailed',
    'The engine did not start: AssertionError. Its log says more.',
  ],
  [
    'an unknown exception of a serving engine is told by its class alone, since it may repeat a request',
    engineRunFailure('FileNotFoundError: No such file or directory: "my diagnosis is"'),
    'EngineFailed',
    'The engine ended with FileNotFoundError while it served. Its log says more.',
  ],
];

/** What vLLM 0.32.0 (CPU) printed; only paths and addresses were changed. */
const recorded: [log: string, reason: string, message: string][] = [
  [
    'adapter',
    'EngineFailed',
    'LoRA rank 128 is greater than max_lora_rank 64. Raise --max-lora-rank in args of the profile, or choose another adapter.',
  ],
  [
    'context',
    'EngineFailed',
    "User-specified max_model_len (9999999) is greater than the derived max_model_len (max_position_embeddings=16384.0 or model_max_length=None in model's config.json). Lower engine.maxModelLen.",
  ],
  [
    'memory',
    'OutOfMemory',
    'Available memory on node 0 (16.86/18.84 GiB) on kv cache allocation is less than requested memory for kv (-0.87/0.0 GiB). Free memory on the node, or change engine.gpuMemoryUtilizationPercent, which counts for main memory too.',
  ],
  [
    'weights',
    'EngineFailed',
    'Error while deserializing header: invalid header length. The weights are damaged or incomplete: delete the pod to download them again, or repair the files of model.claim.',
  ],
];

test.each(recorded)('the log of a real vLLM that failed by its %s is told', (name, reason, message) => {
  const file = join(import.meta.dirname, '../../../test/vllm-sim/recorded', `${name}.txt`);
  expect(classifyEngineLog(readFileSync(file, 'utf8'))).toEqual({ reason, message });
});

describe('classifyEngineLog', () => {
  test.each(rows)('%s', (_sentence, log, reason, message) => {
    expect(classifyEngineLog(log)).toEqual({ reason, message });
    expect(message.length).toBeLessThanOrEqual(300);
  });

  test.each(rows)('whatever stands before and after it: %s', (_sentence, log, reason, message) => {
    const noise = Array.from({ length: 300 }, (_, n) => logged('APIServer', 'INFO', 'loggers.py:271', `step ${n}`));
    expect(classifyEngineLog([...noise, log, 'Process exited.', ''].join('\n'))).toEqual({ reason, message });
  });

  test('the cause in one worker wins over what it brings about in the others', () => {
    const log = [
      workerFailure(
        1,
        'torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3690, remote process exited',
      ),
      workerFailure(0, GPU_OUT_OF_MEMORY),
      workerFailure(2, 'RuntimeError: cancelled'),
      starting(
        'Exception: WorkerProc initialization failed due to an exception in a background process. See stack trace for root cause.',
      ),
    ].join('\n');
    expect(classifyEngineLog(log)?.reason).toBe('GPUOutOfMemory');
  });

  test('colours and tracebacks without the name of a process are read too', () => {
    const log = [
      '\u001B[0;36m(EngineCore pid=245)\u001B[0;0m \u001B[31mERROR\u001B[0m \u001B[90m11-25 10:57:47\u001B[0m \u001B[90m[core.py:1510]\u001B[0m EngineCore failed to start.\r',
      'Process EngineCore:',
      'Traceback (most recent call last):',
      '  File "/usr/lib/python3.12/multiprocessing/process.py", line 314, in _bootstrap',
      '    self.run()',
      'ValueError: No available memory for the cache blocks. Try increasing it.',
    ].join('\n');
    expect(classifyEngineLog(log)?.message).toMatch(/^No available memory for the cache blocks\. Raise/);
  });

  test.each([
    ['a log without an exception', 'INFO 11-25 10:57:47 [api_server.py:1] started'],
    ['an empty log', ''],
    [
      'an engine that was killed after it had handled a bad request',
      prefixed(
        'APIServer',
        'Traceback (most recent call last):\n  File "s.py", line 1, in chat\nValueError: CUDA out of memory. says the client',
      ),
    ],
    [
      'an exception that Python ignored at the end of a process',
      'Exception ignored in: <function Pool.__del__>\nTraceback (most recent call last):\n  File "p.py", line 1, in <module>\nTypeError: x',
    ],
    ['a traceback that was cut off', `Traceback (most recent call last):\n  File "p.py", line 1, in <module>`],
    ['lines that began before the last 400', `${starting(GPU_OUT_OF_MEMORY)}\n${'x\n'.repeat(400)}`],
  ])('%s tells nothing', (_sentence, log) => {
    expect(classifyEngineLog(log)).toBeUndefined();
  });

  test('no rule shows a token, a password or a prompt that stands around its words', () => {
    const token = `hf_${'Secret'.repeat(5)}`;
    const prompt = 'the patient is called Miller';
    const secrets = [`${token} https://user:pass@host/x https://${token}@host Bearer abc.def`, prompt];
    for (const [, log] of rows) {
      const noise = [
        logged('APIServer', 'INFO', 'loggers.py:39', `Received request chatcmpl-1: prompt: '${secrets.join(' ')}'`),
        prefixed('APIServer', `Traceback (most recent call last):\n  File "s", line 1, in chat\nValueError: ${prompt}`),
        logged('EngineCore', 'ERROR', 'dump_input.py:79', `Dumping scheduler output: ${secrets.join(' ')}`),
      ].join('\n');
      const said = classifyEngineLog(`${noise}\n${plant(log, secrets.join(' '))}\n${noise}`)?.message ?? '';
      expect(said).not.toMatch(/Secret|user:|pass@|abc\.def/);
      // Only what no rule knows of a start is shown whole; then nobody has sent a prompt yet.
      if (!said.startsWith('The engine did not start')) expect(said).not.toContain('Miller');
    }
  });

  test.each([
    ['spaces', ' '.repeat(200_000)],
    ['letters', 'a'.repeat(200_000)],
    ['brackets', 'Model architectures ['.repeat(10_000)],
    ['slashes', '://'.repeat(60_000)],
  ])('long lines of %s take no time', (_name, text) => {
    const lines = ['EngineCore failed to start.', 'Traceback (most recent call last):', `ValueError: ${text}`];
    const log = Array.from({ length: 100 }, () => lines.join('\n')).join('\n');
    const before = performance.now();
    expect(classifyEngineLog(log)?.message.length).toBeLessThanOrEqual(300);
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});
