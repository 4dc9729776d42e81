/** Kubernetes quantities such as 500m, 1.5G, 1e3 or 200Gi. */

/** Powers of ten and of 1024. */
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY: Readonly<Record<string, number>> = { Ki: 1, Mi: 2, Gi: 3, Ti: 4, Pi: 5, Ei: 6 };

/** A number, then a decimal exponent or a suffix: `1E` is an exa, `1E3` a thousand. */
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/;

/** Returns the quantity in its base unit (bytes, cores), to the precision of a number. Throws an Error for other text. */
export function parseQuantity(quantity: string | number): number {
  const match = QUANTITY.exec(String(quantity));
  if (match === null) throw new Error(`${JSON.stringify(quantity)} is no Kubernetes quantity such as 200Gi`);
  const [, digits, exponent, suffix = ''] = match;
  const binary = BINARY[suffix];
  if (binary !== undefined) return Number(digits) * 1024 ** binary;
  return Number(`${digits}e${exponent ?? DECIMAL[suffix] ?? 0}`);
}
