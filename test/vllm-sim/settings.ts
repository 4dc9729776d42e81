/** The SIM_* environment of the simulator; README.md explains each. */
export interface SimulatorSettings {
  /** Simulated time runs this many times faster than real time. */
  readonly speed: number;
  readonly loadSeconds: number;
  readonly stepBaseMs: number;
  readonly stepPerContextTokenMs: number;
  readonly prefillTokensPerSecond: number;
  readonly kvBlocks: number;
  readonly answerTokens: number;
  /** vLLM's own VLLM_MAX_N_SEQUENCES: most choices that one request may ask for. */
  readonly maxChoices: number;
  readonly fail: string | undefined;
  readonly control: boolean;
}

/**
 * Reads SIM_* variables; the speed defaults are the fit to SageServe's A100 measurements.
 * @throws Error naming the variable whose value is not a positive number.
 */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): SimulatorSettings {
  const number = (name: string, fallback: number): number => {
    const text = environment[name];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (!Number.isFinite(value) || value < 0) throw new Error(`${name} must be a number of at least 0, not "${text}".`);
    return value;
  };
  return {
    speed: Math.max(0.001, number('SIM_SPEED', 1)),
    loadSeconds: number('SIM_LOAD_SECONDS', 2),
    stepBaseMs: number('SIM_STEP_MS', 8.5),
    stepPerContextTokenMs: number('SIM_STEP_US_PER_CONTEXT_TOKEN', 0.12) / 1000,
    prefillTokensPerSecond: Math.max(1, number('SIM_PREFILL_TOKENS_PER_SECOND', 21_000)),
    kvBlocks: Math.max(1, Math.floor(number('SIM_KV_BLOCKS', 27_000))),
    answerTokens: Math.max(1, number('SIM_ANSWER_TOKENS', 64)),
    maxChoices: number('VLLM_MAX_N_SEQUENCES', 16_384),
    fail: environment['SIM_FAIL'] === '' ? undefined : environment['SIM_FAIL'],
    control: environment['SIM_CONTROL'] === '1',
  };
}

/** Returns the variables that `--additional-config={"environment":{"SIM_...":"..."}}` sets, where a pod's cannot be. */
export function environmentInConfig(additionalConfig: string | undefined): Record<string, string> {
  if (additionalConfig === undefined) return {};
  const { environment = {} } = JSON.parse(additionalConfig) as { environment?: Record<string, string> };
  return environment;
}
