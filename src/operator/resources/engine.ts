/** What the engine container and the download container agree on: paths, port, arguments, environment. */
import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { EnvironmentVariable } from '../../api/kubernetes.ts';

export type EngineSettings = NonNullable<InferenceDeploymentSpec['engine']>;

/** Where vLLM serves HTTP; also the Service's port. */
export const ENGINE_PORT = 8000;

/** Where the model volume is mounted; a download puts the model's files directly below it. */
export const MODEL_DIRECTORY = '/var/lib/infer/model';

/** Writable scratch of the engine: the root file system is read-only and the UID has no home. */
export const SCRATCH_DIRECTORY = '/var/lib/infer/scratch';

/**
 * Returns the engine settings in force: those of the deployment, and where it is silent those of the catalogue model.
 */
export function effectiveEngineSettings(
  own: EngineSettings | undefined,
  catalogue: EngineSettings | undefined,
): EngineSettings {
  return { ...catalogue, ...own };
}

/**
 * Returns vLLM's arguments after `vllm serve`. argparse takes the last of a repeated flag, so the order is the
 * precedence: what Infer assumes, the profile's arguments, then the user's settings, then what Infer itself relies on.
 */
export function engineArguments(options: {
  name: string;
  modelPath: string;
  profile: HardwareProfileSpec;
  settings: EngineSettings;
  drainTimeoutSeconds: number;
  /** Of the LoRA adapters, see adapterArguments(). */
  adapters: { bounds: readonly string[]; modules: readonly string[] };
}): string[] {
  const { settings, profile, adapters } = options;
  const chosen: string[] = [];
  const add = (flag: string, value: string | number | undefined): void => {
    if (value !== undefined) chosen.push(`${flag}=${value}`);
  };
  add('--max-model-len', settings.maxModelLen);
  add('--max-num-seqs', settings.maxNumSeqs);
  if (settings.gpuMemoryUtilizationPercent !== undefined) {
    add('--gpu-memory-utilization', (settings.gpuMemoryUtilizationPercent / 100).toFixed(2));
  }
  add('--dtype', settings.dtype);
  add('--quantization', settings.quantization);
  if (settings.toolCallParser !== undefined) {
    chosen.push('--enable-auto-tool-choice');
    add('--tool-call-parser', settings.toolCallParser);
  }
  add('--reasoning-parser', settings.reasoningParser);
  if (profile.accelerator) add('--tensor-parallel-size', profile.accelerator.count ?? 1);
  return [
    options.modelPath,
    ...adapters.bounds,
    ...(profile.args ?? []),
    ...chosen,
    ...adapters.modules,
    `--served-model-name=${options.name}`,
    '--host=0.0.0.0',
    `--port=${ENGINE_PORT}`,
    // How many tokens of a prompt came from the cache is metered, and told to no client without it.
    '--enable-prompt-tokens-details',
    // With vLLM's default of 0 a SIGTERM aborts what is in flight.
    `--shutdown-timeout=${options.drainTimeoutSeconds}`,
  ];
}

/** Returns the engine's environment: offline, no usage reports, and every cache on the scratch volume. */
export function engineEnvironment(): EnvironmentVariable[] {
  const below = (path: string): string => `${SCRATCH_DIRECTORY}/${path}`;
  const values: Record<string, string> = {
    HOME: SCRATCH_DIRECTORY,
    // getpass.getuser() fails for a UID that /etc/passwd does not know, unless one of these is set.
    USER: 'infer',
    LOGNAME: 'infer',
    TMPDIR: '/tmp',
    XDG_CACHE_HOME: below('cache'),
    XDG_CONFIG_HOME: below('config'),
    HF_HOME: below('huggingface'),
    HF_HUB_OFFLINE: '1',
    TRANSFORMERS_OFFLINE: '1',
    VLLM_CACHE_ROOT: below('vllm'),
    VLLM_CONFIG_ROOT: below('config/vllm'),
    VLLM_NO_USAGE_STATS: '1',
    // A request with n = 16384 killed the server (CVE-2026-34756); the gateway's cap is lower still.
    VLLM_MAX_N_SEQUENCES: '64',
    VLLM_MEDIA_URL_ALLOW_REDIRECTS: '0',
    TORCHINDUCTOR_CACHE_DIR: below('torchinductor'),
    TRITON_CACHE_DIR: below('triton'),
    NUMBA_CACHE_DIR: below('numba'),
    PYTHONDONTWRITEBYTECODE: '1',
  };
  return Object.entries(values).map(([name, value]) => ({ name, value }));
}
