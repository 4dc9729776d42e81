/** The vLLM arguments of a profile, each `--name` or `--name=value` by its CRD; of a repeated one the last counts. */
export interface Flags {
  has(name: string): boolean;
  get(name: string): string | undefined;
  /** Undefined where it is absent or no plain number, as `32k`. */
  number(name: string): number | undefined;
}

/** Returns the arguments by name. */
export function flagsOf(args: readonly string[]): Flags {
  const values = new Map(
    args.map((argument): [string, string] => {
      const [name = '', ...value] = argument.replace(/^--/, '').split('=');
      return [name, value.join('=')];
    }),
  );
  return {
    has: (name) => values.has(name),
    get: (name) => values.get(name),
    number: (name) => (/^\d+(\.\d+)?$/.test(values.get(name) ?? '') ? Number(values.get(name)) : undefined),
  };
}
