import { accessSync, constants, existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { checkLoraModules } from './adapters.ts';
import { parseArguments, UsageError, type VllmArguments } from './arguments.ts';
import { failureInConfig, parseFailure, type Failure } from './failures.ts';
import {
  configurationFailure,
  CRASH,
  engineRunFailure,
  engineStartFailure,
  GPU_OUT_OF_MEMORY,
  logged,
  prefixed,
} from './log.ts';
import { missingModel, ModelError, readModel, unsupported, type Model } from './model.ts';
import { createHttpServer } from './server.ts';
import { environmentInConfig, readSettings, type SimulatorSettings } from './settings.ts';
import { Simulator } from './simulator.ts';
import { BLOCK_TOKENS } from './tokenizer.ts';

const print = (text: string): void => console.log(text);
const info = (source: string, text: string): void => print(logged('APIServer', 'INFO', source, text));

/** vLLM ends with 1 after any failure of its own; its supervisor sees no more than that and the log. */
function exitAfter(text: string, code = 1): never {
  process.stdout.write(`${text}\n`);
  process.exit(code);
}

function readCommandLine(): VllmArguments {
  try {
    return parseArguments(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`usage: vllm serve [model_tag] [options]\nvllm serve: error: ${error.message}`);
    return process.exit(2);
  }
}

/** The home directory; Python has none for a user that /etc/passwd does not know, unless HOME is set. */
function home(): string {
  try {
    return homedir();
  } catch {
    throw new ModelError('KeyError', 'EngineCore', `'getpwuid(): uid not found: ${process.getuid?.()}'`);
  }
}

function checkEnvironment(args: VllmArguments): void {
  const port = process.env['VLLM_PORT'];
  if (port !== undefined && !/^\d+$/.test(port)) {
    throw new ModelError(
      'ValueError',
      'APIServer',
      `VLLM_PORT '${port}' appears to be a URI. This may be caused by a Kubernetes service discovery issue, check the ` +
        'warning in: https://docs.vllm.ai/en/stable/serving/env_vars.html',
    );
  }
  if (process.env['HF_HUB_OFFLINE'] === '1' && !isAbsolute(args.model)) {
    throw new ModelError(
      'OSError',
      'APIServer',
      `We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the cached files. ` +
        `Check your internet connection or see how to run the library in offline mode: ${args.model}`,
    );
  }
  // Only with a model on disk, that is in a pod: the compile caches need a directory that this user may write.
  if (!isAbsolute(args.model)) return;
  const cache = process.env['VLLM_CACHE_ROOT'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(home(), '.cache'), 'vllm');
  let nearest = cache;
  while (!existsSync(nearest)) nearest = dirname(nearest);
  try {
    accessSync(nearest, constants.W_OK);
  } catch {
    throw new ModelError('PermissionError', 'EngineCore', `[Errno 13] Permission denied: '${cache}'`);
  }
}

/** Real weights take memory; here a share below this leaves nothing for the KV cache. */
const SMALLEST_MEMORY_SHARE = 0.2;

function checkMemory(args: VllmArguments): void {
  if (args.gpuMemoryUtilization >= SMALLEST_MEMORY_SHARE) return;
  throw new ModelError(
    'ValueError',
    'EngineCore',
    'No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine ' +
      '(this flag also controls CPU memory reservation on the CPU backend, despite its name). ' +
      'See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details.',
  );
}

function checkLength(args: VllmArguments, model: Model, settings: SimulatorSettings): void {
  const length = args.maxModelLen ?? model.maxPositionEmbeddings;
  if (length > model.maxPositionEmbeddings) {
    throw new ModelError(
      'pydantic_core._pydantic_core.ValidationError',
      'APIServer',
      `1 validation error for ModelConfig\n  Value error, User-specified max_model_len (${length}) is greater than the ` +
        `derived max_model_len (max_position_embeddings=${model.maxPositionEmbeddings} or model_max_length=None in ` +
        "model's config.json). To allow overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.",
    );
  }
  const capacity = settings.kvBlocks * BLOCK_TOKENS;
  if (length > capacity) {
    throw new ModelError(
      'ValueError',
      'EngineCore',
      `To serve at least one request with the models's max seq len (${length}), ${(length / 8192).toFixed(2)} GiB KV ` +
        `cache is needed, which is larger than the available KV cache memory (${(capacity / 8192).toFixed(2)} GiB). ` +
        `Based on the available memory, the estimated maximum model length is ${capacity}. Try increasing ` +
        '`gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.',
    );
  }
}

/** Failures that SIM_FAIL asks for while the model loads. */
function failWhileLoading(failure: Failure | undefined, args: VllmArguments): void {
  if (failure === undefined || failure.after !== undefined) return;
  if (failure.mode === 'missing-model') throw missingModel(args.model);
  if (failure.mode === 'unsupported-architecture') throw unsupported(['FuturisticForCausalLM']);
  if (failure.mode === 'gpu-oom') exitAfter(engineStartFailure(GPU_OUT_OF_MEMORY));
  if (failure.mode === 'crash') exitAfter(engineStartFailure(CRASH));
  // The kernel's out-of-memory killer leaves no line of its own.
  if (failure.mode === 'host-oom') process.kill(process.pid, 'SIGKILL');
}

async function load(args: VllmArguments, settings: SimulatorSettings, failure: Failure | undefined): Promise<Model> {
  try {
    checkEnvironment(args);
    const model = readModel(args.model);
    info('model.py:541', `Resolved architecture: ${model.architecture}`);
    checkLength(args, model, settings);
    const slow = failure?.mode === 'slow-load' ? (failure.after ?? 600) : settings.loadSeconds;
    await new Promise((resolve) => setTimeout(resolve, (slow * 1000) / settings.speed));
    failWhileLoading(failure, args);
    checkMemory(args);
    checkLoraModules(args);
    const tokens = (settings.kvBlocks * BLOCK_TOKENS).toLocaleString('en-US');
    print(logged('EngineCore', 'INFO', 'kv_cache_utils.py:1319', `GPU KV cache size: ${tokens} tokens`));
    return model;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    const text = `${error.type}: ${error.message}`;
    return exitAfter(error.where === 'APIServer' ? configurationFailure(text) : engineStartFailure(text));
  }
}

/** Ends a server that still loads: there is nothing to drain. */
function quit(): void {
  process.exit(0);
}

async function main(): Promise<void> {
  const args = readCommandLine();
  const settings = readSettings({ ...process.env, ...environmentInConfig(args.additionalConfig) });
  const fail = settings.fail ?? failureInConfig(args.additionalConfig);
  const failure = fail === undefined ? undefined : parseFailure(fail);
  process.on('SIGTERM', quit).on('SIGINT', quit);
  info('api_server.py:1977', `vLLM API server version 0.32.0 (simulated), model ${args.model}`);
  const model = await load(args, settings, failure);

  const simulator = new Simulator({ arguments: args, model, settings, ...(failure === undefined ? {} : { failure }) });
  const server = createHttpServer(simulator, (line) => print(prefixed('APIServer', line)));
  simulator.onFatal = (mode) => {
    if (mode === 'host-oom') process.kill(process.pid, 'SIGKILL');
    simulator.die();
    process.stdout.write(`${engineRunFailure(mode === 'crash' ? CRASH : GPU_OUT_OF_MEMORY)}\n`);
    server.close(() => process.exit(1));
    // Those who wait have their error by now; idle connections do not hold the exit up.
    setImmediate(() => server.closeIdleConnections());
    setTimeout(() => process.exit(1), 1_000).unref();
  };
  server.listen(args.port, args.host, () => {
    const { address, port } = server.address() as AddressInfo;
    info('launcher.py:46', `Started server process, application startup complete on http://${address}:${port}`);
  });

  const stop = () => {
    if (simulator.draining) return;
    simulator.draining = true;
    const seconds = args.shutdownTimeoutSeconds;
    info('launcher.py:110', `Shutting down, in-flight requests have ${seconds} s to finish`);
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      // What was aborted has its last bytes to send; the rest of the connections are idle.
      server.close(() => process.exit(0));
      setImmediate(() => server.closeIdleConnections());
      setTimeout(() => process.exit(0), 1_000).unref();
    };
    const giveUp = setTimeout(() => {
      simulator.abortAll();
      leave();
    }, seconds * 1000);
    simulator.whenIdle(() => {
      clearTimeout(giveUp);
      leave();
    });
  };
  process.off('SIGTERM', quit).off('SIGINT', quit).on('SIGTERM', stop).on('SIGINT', stop);
}

await main();
