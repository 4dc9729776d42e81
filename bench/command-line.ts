/** What benches share of the command line: their settings, and the lines that they print on the way. */

/** Returns the whole number in the variable `name`. Throws an Error that says what to give. */
export function wholeNumber(name: string, fallback: number): number {
  const value = Number(process.env[name] || fallback);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${name} is '${process.env[name]}'; give a whole number.`);
  return value;
}

/** Returns what prints a line with the seconds since now before it. */
export function startProgress(fractionDigits = 0): (line: string) => void {
  const started = performance.now();
  return (line) => {
    const seconds = (performance.now() - started) / 1_000;
    console.log(`[${seconds.toFixed(fractionDigits).padStart(5)} s] ${line}`);
  };
}
