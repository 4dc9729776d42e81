/** Options that several commands take, and readers of their values for commander. */
import { InvalidArgumentError, Option } from 'commander';

/** Returns `--gateway URL`. */
export function gatewayOption(): Option {
  return new Option('--gateway <url>', 'the gateway (default: INFER_BASE_URL, else found in the cluster)');
}

/** Returns a reader of whole numbers from `least` up. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw new InvalidArgumentError(`Write a whole number of at least ${least}.`);
  };
}

/** Returns a reader of numbers from `least` to `most`. */
export function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Write a number from ${least} to ${most}.`);
  };
}

/** Reads a list with commas, given once or several times. */
export function list(text: string, before: readonly string[] | undefined): string[] {
  const values = text.split(',').map((value) => value.trim());
  if (values.includes('')) throw new InvalidArgumentError('Write names with commas between them.');
  return [...(before ?? []), ...values];
}
