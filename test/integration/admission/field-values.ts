/** Specs made from a schema with the same kind of value in every field, to try what no table of mistakes thinks of. */
import { fieldsOf } from '../../../src/api/schema.ts';
import type { Schema } from '../../../src/api/schema.ts';

/**
 * Returns an object of this schema in which `choose` gives the value of each leaf, and the paths of those leaves.
 * A list has one item. A leaf for which `choose` returns undefined is left out.
 */
export function fill(
  schema: Schema,
  choose: (leaf: Schema, path: string) => unknown,
  path = 'spec',
): { value: unknown; paths: string[] } {
  if (schema.properties !== undefined) {
    const parts = Object.entries(schema.properties).map(([name, child]) => ({
      name,
      ...fill(child, choose, `${path}.${name}`),
    }));
    const present = parts.filter(({ value }) => value !== undefined);
    return {
      value: present.length === 0 ? undefined : Object.fromEntries(present.map(({ name, value }) => [name, value])),
      paths: present.flatMap(({ paths }) => paths),
    };
  }
  if (schema.items !== undefined) {
    const item = fill(schema.items, choose, `${path}[0]`);
    return { value: item.value === undefined ? undefined : [item.value], paths: item.paths };
  }
  const value = choose(schema, path);
  return { value, paths: value === undefined ? [] : [path] };
}

/** Returns a value of a type that the schema does not take. */
export function wrongType(schema: Schema): unknown {
  if (schema.type === 'boolean') return 'true';
  if (schema.type === 'string') return 5;
  if (schema.type === 'object') return 'not a map';
  return schema['x-kubernetes-int-or-string'] === true ? true : 'many';
}

/** Returns the number of leaves of a schema, so that a test can tell that it looked at all of them. */
export function leafCount(schema: Schema): number {
  return [...fieldsOf(schema)].filter(
    ({ schema: field, path }) => field.properties === undefined && field.items === undefined && !path.endsWith('{}'),
  ).length;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns `over` laid over `base`, objects within objects. */
export function merge(base: unknown, over: unknown): unknown {
  if (!isObject(base) || !isObject(over)) return over ?? base;
  const names = new Set([...Object.keys(base), ...Object.keys(over)]);
  return Object.fromEntries([...names].map((name) => [name, merge(base[name], over[name])]));
}
