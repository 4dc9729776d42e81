const MODES = [
  'host-oom',
  'gpu-oom',
  'crash',
  'unsupported-architecture',
  'missing-model',
  'slow-load',
  'hang',
  'abort',
] as const;

export type FailureMode = (typeof MODES)[number];

export interface Failure {
  readonly mode: FailureMode;
  /** After so many accepted requests; undefined: while the model loads. For slow-load: seconds. */
  readonly after: number | undefined;
}

/**
 * Reads `MODE` or `MODE:NUMBER`. hang and abort are about requests, so without a number they hold from the first one.
 * @throws Error that lists the modes.
 */
export function parseFailure(text: string): Failure {
  const [name, number, ...rest] = text.split(':');
  const mode = MODES.find((known) => known === name);
  const after = number === undefined ? undefined : Number(number);
  if (mode === undefined || rest.length > 0 || (after !== undefined && !(after >= 0))) {
    throw new Error(`SIM_FAIL must be MODE or MODE:NUMBER with a mode of ${MODES.join(', ')}, not "${text}".`);
  }
  return { mode, after: after ?? (mode === 'hang' || mode === 'abort' ? 0 : undefined) };
}

/** Returns the failure that `--additional-config={"sim":"MODE"}` asks for, where the environment cannot be set. */
export function failureInConfig(additionalConfig: string | undefined): string | undefined {
  if (additionalConfig === undefined) return undefined;
  const { sim } = JSON.parse(additionalConfig) as { sim?: string };
  return sim;
}
