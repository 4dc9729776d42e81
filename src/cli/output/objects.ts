/** Prints Kubernetes objects and other records in the form that -o names. */
import type { KubeObject, Resource } from '../../kube/types.ts';
import { apiVersionOf } from '../../kube/types.ts';
import type { Context } from '../context.ts';
import { table } from './table.ts';
import type { Column } from './table.ts';

/** Returns YAML without a newline at its end. */
export async function toYaml(value: unknown): Promise<string> {
  const { yamlText } = await import('./yaml.ts');
  return yamlText(value);
}

/** Prints `rows` as a table that fits the terminal; columns that are `wide` by -o wide only. */
export function printTable<Row>(context: Context, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  const shown = columns.filter((column) => context.output === 'wide' || column.wide !== true);
  for (const line of table(shown, rows, { width: context.columns, colours: context.isColoured })) context.print(line);
}

/** Prints `value` as JSON or YAML and returns true, or returns false where a table or names are wanted. */
export async function printStructured(context: Context, value: unknown): Promise<boolean> {
  if (context.output === 'json') context.print(JSON.stringify(value, null, 2));
  else if (context.output === 'yaml') context.print(await toYaml(value));
  else return false;
  return true;
}

/** Prints one object by -o json, yaml or name and returns true; returns false where a table is wanted. */
export async function printObject(context: Context, resource: Resource, object: KubeObject): Promise<boolean> {
  if (context.output === 'name') context.print(`${resource.plural}.${resource.group}/${object.metadata.name}`);
  else return await printStructured(context, presented(resource, object));
  return true;
}

/** Prints many objects, as printObject does one. */
export async function printObjects(
  context: Context,
  resource: Resource,
  objects: readonly KubeObject[],
): Promise<boolean> {
  if (context.output === 'name') {
    for (const object of objects) await printObject(context, resource, object);
    return true;
  }
  const items = objects.map((object) => presented(resource, object));
  return await printStructured(context, { apiVersion: 'v1', kind: 'List', items });
}

/** Items of a list carry no kind; who owns which field is of no use to a reader. */
function presented(resource: Resource, object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
}
