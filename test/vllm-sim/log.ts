import { hostname } from 'node:os';

export type ProcessName = 'APIServer' | 'EngineCore';

/** vLLM runs its engine in a child process; the simulator has one process, and logs as if it had two. */
const PIDS: Record<ProcessName, number> = { APIServer: process.pid, EngineCore: process.pid + 134 };

/** Lines with the prefix that vLLM puts before everything a process prints. */
export function prefixed(name: ProcessName, text: string): string {
  return text
    .split('\n')
    .map((line) => `(${name} pid=${PIDS[name]}) ${line}`)
    .join('\n');
}

/** A line of vLLM's logger: level, time (month-day hour:minute:second), file and line. */
export function logged(name: ProcessName, level: string, source: string, text: string, now = new Date()): string {
  const time = now.toISOString().replace(/^\d+-(\d+-\d+)T(\d+:\d+:\d+).*/, '$1 $2');
  return prefixed(name, text.replaceAll(/^/gm, `${level} ${time} [${source}] `));
}

type Frame = readonly [file: string, line: number, name: string, code: string];

const PACKAGES = '/usr/local/lib/python3.12/dist-packages';
const MULTIPROCESSING: Frame[] = [
  ['/usr/lib/python3.12/multiprocessing/process.py', 314, '_bootstrap', 'self.run()'],
  ['/usr/lib/python3.12/multiprocessing/process.py', 108, 'run', 'self._target(*self._args, **self._kwargs)'],
];
const START: Frame[] = [
  [`${PACKAGES}/vllm/v1/engine/core.py`, 1110, 'run_engine_core', 'engine_core = EngineCoreProc(*args, **kwargs)'],
  [`${PACKAGES}/vllm/tracing/otel.py`, 178, 'sync_wrapper', 'return func(*args, **kwargs)'],
  [`${PACKAGES}/vllm/v1/engine/core.py`, 867, '__init__', 'super().__init__('],
  [`${PACKAGES}/vllm/v1/engine/core.py`, 117, '__init__', 'self.model_executor = executor_class(vllm_config)'],
  [`${PACKAGES}/vllm/v1/executor/abstract.py`, 103, '__init__', 'self._init_executor()'],
  [`${PACKAGES}/vllm/v1/executor/uniproc_executor.py`, 48, '_init_executor', 'self.driver_worker.load_model()'],
  [
    `${PACKAGES}/vllm/v1/worker/gpu_worker.py`,
    323,
    'load_model',
    'self.model_runner.load_model(load_dummy_weights=False)',
  ],
  [`${PACKAGES}/vllm/v1/worker/gpu_model_runner.py`, 4751, 'load_model', 'self.model = model_loader.load_model('],
  [`${PACKAGES}/vllm/model_executor/model_loader/base_loader.py`, 54, 'load_model', 'model = initialize_model('],
];
const LOAD: Frame[] = [
  [
    `${PACKAGES}/vllm/model_executor/model_loader/utils.py`,
    50,
    'initialize_model',
    'return model_class(vllm_config=vllm_config)',
  ],
  [`${PACKAGES}/vllm/model_executor/models/llama.py`, 553, '__init__', 'self.model = self._init_model('],
  [
    `${PACKAGES}/vllm/model_executor/models/utils.py`,
    632,
    'make_layers',
    'maybe_offload_to_cpu(layer_fn(prefix=f"{prefix}.{idx}"))',
  ],
  [`${PACKAGES}/vllm/model_executor/layers/linear.py`, 498, '__init__', 'self.quant_method.create_weights('],
  [`${PACKAGES}/torch/utils/_device.py`, 109, '__torch_function__', 'return func(*args, **kwargs)'],
];
const STEP: Frame[] = [
  [`${PACKAGES}/vllm/v1/engine/core.py`, 1129, 'run_engine_core', 'engine_core.run_busy_loop()'],
  [`${PACKAGES}/vllm/v1/engine/core.py`, 1170, 'run_busy_loop', 'self._process_engine_step()'],
  [`${PACKAGES}/vllm/v1/engine/core.py`, 1209, '_process_engine_step', 'outputs, model_executed = self.step_fn()'],
  [`${PACKAGES}/vllm/v1/worker/gpu_model_runner.py`, 3485, 'execute_model', 'model_output = self._model_forward('],
];
const SERVE: Frame[] = [
  ['/usr/local/bin/vllm', 10, '<module>', 'sys.exit(main())'],
  [`${PACKAGES}/vllm/entrypoints/cli/main.py`, 97, 'main', 'args.dispatch_function(args)'],
  [`${PACKAGES}/vllm/entrypoints/cli/serve.py`, 152, 'cmd', 'uvloop.run(run_server(args))'],
  [`${PACKAGES}/uvloop/__init__.py`, 96, 'run', 'return __asyncio.run('],
  ['/usr/lib/python3.12/asyncio/runners.py', 195, 'run', 'return runner.run(main)'],
  ['/usr/lib/python3.12/asyncio/runners.py', 118, 'run', 'return self._loop.run_until_complete(task)'],
  ['uvloop/loop.pyx', 1518, 'uvloop.loop.Loop.run_until_complete', ''],
  [`${PACKAGES}/uvloop/__init__.py`, 48, 'wrapper', 'return await main'],
  [
    `${PACKAGES}/vllm/entrypoints/openai/api_server.py`,
    684,
    'run_server',
    'await run_server_worker(listen_address, sock, args)',
  ],
  [
    `${PACKAGES}/vllm/entrypoints/openai/api_server.py`,
    698,
    'run_server_worker',
    'async with build_async_engine_client(',
  ],
  ['/usr/lib/python3.12/contextlib.py', 210, '__aenter__', 'return await anext(self.gen)'],
  [
    `${PACKAGES}/vllm/entrypoints/openai/api_server.py`,
    100,
    'build_async_engine_client',
    'async with build_async_engine_client_from_engine_args(',
  ],
  ['/usr/lib/python3.12/contextlib.py', 210, '__aenter__', 'return await anext(self.gen)'],
  [
    `${PACKAGES}/vllm/entrypoints/openai/api_server.py`,
    136,
    'build_async_engine_client_from_engine_args',
    'async_llm = AsyncLLM.from_vllm_config(',
  ],
];
const WAIT: Frame[] = [
  [`${PACKAGES}/vllm/v1/engine/async_llm.py`, 225, 'from_vllm_config', 'return cls('],
  [
    `${PACKAGES}/vllm/v1/engine/async_llm.py`,
    154,
    '__init__',
    'self.engine_core = EngineCoreClient.make_async_mp_client(',
  ],
  [`${PACKAGES}/vllm/tracing/otel.py`, 178, 'sync_wrapper', 'return func(*args, **kwargs)'],
  [`${PACKAGES}/vllm/v1/engine/core_client.py`, 130, 'make_async_mp_client', 'return AsyncMPClient(*client_args)'],
  [`${PACKAGES}/vllm/v1/engine/core_client.py`, 887, '__init__', 'super().__init__('],
  [`${PACKAGES}/vllm/v1/engine/core_client.py`, 535, '__init__', 'with launch_core_engines('],
  ['/usr/lib/python3.12/contextlib.py', 144, '__exit__', 'next(self.gen)'],
  [`${PACKAGES}/vllm/v1/engine/utils.py`, 998, 'launch_core_engines', 'wait_for_engine_startup('],
  [`${PACKAGES}/vllm/v1/engine/utils.py`, 1057, 'wait_for_engine_startup', 'raise RuntimeError('],
];
const CONFIG: Frame[] = [
  [`${PACKAGES}/vllm/engine/arg_utils.py`, 1580, 'create_engine_config', 'model_config = self.create_model_config()'],
  [`${PACKAGES}/vllm/engine/arg_utils.py`, 1433, 'create_model_config', 'return ModelConfig('],
  [
    `${PACKAGES}/pydantic/_internal/_dataclasses.py`,
    121,
    '__init__',
    's.__pydantic_validator__.validate_python(ArgsKwargs(args, kwargs), self_instance=s)',
  ],
];

function traceback(frames: readonly Frame[], error: string): string {
  const lines = frames.flatMap(([file, line, name, code]) => {
    const first = `  File "${file}", line ${line}, in ${name}`;
    return code === '' ? [first] : [first, `    ${code}`, `    ${'^'.repeat(code.length)}`];
  });
  return ['Traceback (most recent call last):', ...lines, error].join('\n');
}

/** The API server refuses its configuration before there is an engine. `error` is `Type: message`. */
export function configurationFailure(error: string): string {
  return prefixed('APIServer', traceback([...SERVE, ...CONFIG], error));
}

/**
 * The engine process dies while it starts: its traceback (twice, as vLLM prints it), then the longer one of the API
 * server, whose last line says only that the cause stands above.
 */
export function engineStartFailure(error: string): string {
  const frames = [...START, ...LOAD];
  return [
    logged('EngineCore', 'ERROR', 'core.py:1136', `EngineCore failed to start.\n${traceback(frames, error)}`),
    prefixed('EngineCore', `Process EngineCore:\n${traceback([...MULTIPROCESSING, ...frames], error)}`),
    prefixed(
      'APIServer',
      traceback(
        [...SERVE, ...WAIT],
        'RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}',
      ),
    ),
  ].join('\n');
}

/** The engine process dies while it serves; the API server answers what is left with EngineDeadError and ends. */
export function engineRunFailure(error: string): string {
  const dead =
    'vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. ' +
    'See stack trace (above) for the root cause.';
  const output: Frame = [
    `${PACKAGES}/vllm/v1/engine/async_llm.py`,
    655,
    'output_handler',
    'outputs = await engine_core.get_output_async()',
  ];
  return [
    logged('EngineCore', 'ERROR', 'core.py:1138', `EngineCore encountered a fatal error.\n${traceback(STEP, error)}`),
    prefixed('EngineCore', `Process EngineCore:\n${traceback([...MULTIPROCESSING, ...STEP], error)}`),
    logged('APIServer', 'ERROR', 'async_llm.py:699', `AsyncLLM output_handler failed.\n${traceback([output], dead)}`),
  ].join('\n');
}

/** PyTorch's message; sizes as on a 24 GiB card that is full. */
export const GPU_OUT_OF_MEMORY =
  'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 23.56 GiB ' +
  'of which 56.88 MiB is free. Including non-PyTorch memory, this process has 23.50 GiB memory in use. Of the ' +
  'allocated memory 23.02 GiB is allocated by PyTorch, and 75.38 MiB is reserved by PyTorch but unallocated. If ' +
  'reserved but unallocated memory is large try setting PYTORCH_ALLOC_CONF=expandable_segments:True to avoid ' +
  'fragmentation.  See documentation for Memory Management  ' +
  '(https://docs.pytorch.org/docs/stable/notes/cuda.html#optimizing-memory-usage-with-pytorch-cuda-alloc-conf)';

/** An illegal access in a kernel: the common way in which a serving engine crashes. */
export const CRASH =
  `torch.AcceleratorError: CUDA error: an illegal memory access was encountered on ${hostname()}\n` +
  'CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be ' +
  'incorrect.';
