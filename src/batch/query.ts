/** Reading the query of a list. */
import { badRequest, integerOutside, unsupportedValue, wrongType } from './errors.ts';

export type Query = Readonly<Record<string, unknown>>;

/** Returns the text of a parameter; undefined where it is absent or empty. Throws GatewayError where it comes twice. */
export function text(query: Query, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw badRequest('invalid_value', `Send the parameter '${name}' once.`, name);
  return value;
}

/** Returns a whole number within the bounds. Throws GatewayError for any other value. */
export function wholeNumber(
  query: Query,
  name: string,
  bounds: { fallback: number; from: number; to: number },
): number {
  const value = text(query, name);
  if (value === undefined) return bounds.fallback;
  if (!/^-?\d{1,15}$/.test(value)) throw wrongType(name, 'an integer', 'a string');
  const number = Number(value);
  if (number < bounds.from || number > bounds.to) throw integerOutside(name, number, bounds);
  return number;
}

/** Returns one of `values`; `fallback` where the parameter is absent. Throws GatewayError for any other value. */
export function oneOf<T extends string>(query: Query, name: string, values: readonly T[], fallback: T): T {
  const value = text(query, name);
  if (value === undefined) return fallback;
  const found = values.find((one) => one === value);
  if (found === undefined) throw unsupportedValue(name, value, values);
  return found;
}

/** Returns OpenAI's list object. */
export function listObject<T extends { readonly id: string }>(data: readonly T[], hasMore: boolean) {
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: hasMore,
  };
}
