/** Reading the settings of a process from its environment; a wrong one is refused at start, by its name. */

export type Environment = Record<string, string | undefined>;

/** Returns the whole number in `name`, `fallback` where it is absent. Throws an Error that says what to set. */
export function wholeNumber(
  environment: Environment,
  name: string,
  bounds: { fallback: number; from: number; to: number },
): number {
  const value = Number(environment[name] || bounds.fallback);
  if (!Number.isInteger(value) || value < bounds.from || value > bounds.to) {
    throw new Error(`Set ${name} to a whole number from ${bounds.from} to ${bounds.to}.`);
  }
  return value;
}

/** Returns the host and port in `name`; undefined where it is absent. Throws an Error that says what to set. */
export function hostAndPort(
  environment: Environment,
  name: string,
  example: string,
): { host: string; port: number } | undefined {
  const value = environment[name];
  if (!value) return undefined;
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+)):(\d{1,5})$/i.exec(value) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new Error(`${name} is ${JSON.stringify(value)}; set it to a host and a port such as ${example}.`);
  }
  return { host, port };
}

/** Returns the http(s) URL in `value` without slashes at its end. Throws an Error that says what to set. */
export function httpUrl(name: string, value: string, example: string): string {
  if (!URL.canParse(value) || !/^https?:/.test(value)) {
    throw new Error(`${name} is ${JSON.stringify(value)}; set it to an http(s) URL such as ${example}.`);
  }
  return value.replace(/\/+$/, '');
}
