/** Who owns which field, by the managedFields that the API server keeps (server-side apply's field set format). */
import type { FieldsV1, KubeObject } from './types.ts';

type Json = unknown;

function isRecord(value: Json): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Returns the managers that own the field at `path`, such as `['spec', 'replicas']`, each once, in the object's order.
 * A segment that starts with `k:` or `v:` is taken as it is, for items of lists. A manager that owns a list or map as a
 * whole owns what is below it.
 */
export function ownersOf(object: KubeObject, path: readonly string[]): string[] {
  const owners = new Set<string>();
  for (const entry of object.metadata.managedFields ?? []) {
    if (entry.manager !== undefined && ownsPath(entry.fieldsV1, path)) owners.add(entry.manager);
  }
  return [...owners];
}

function ownsPath(fields: FieldsV1 | undefined, path: readonly string[]): boolean {
  let node = fields;
  for (const segment of path) {
    if (node === undefined) return false;
    const child: FieldsV1 | undefined = node[/^[kv]:/.test(segment) ? segment : `f:${segment}`];
    if (child !== undefined && Object.keys(child).length === 0) return true;
    node = child;
  }
  return node !== undefined;
}

/**
 * True when `manager` owns every field that `intent` sets, so that nobody has changed one since the manager's last
 * write: the API server takes a field away from its owner when another manager changes or removes it.
 * `apiVersion`, `kind` and the identity in `metadata` have no owner and are skipped.
 */
export function ownsAll(object: KubeObject, manager: string, intent: KubeObject): boolean {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = intent;
  const { name: _name, namespace: _namespace, uid: _uid, resourceVersion: _version, ...ownedMetadata } = metadata;
  const trees = treesOf(object, manager);
  const onlyIdentity = Object.keys(ownedMetadata).length === 0;
  return covers(trees, onlyIdentity ? rest : { ...rest, metadata: ownedMetadata });
}

function treesOf(object: KubeObject, manager: string): FieldsV1[] {
  return (
    (object.metadata.managedFields ?? [])
      .filter((entry) => entry.manager === manager && (entry.subresource ?? '') === '')
      // After a webhook changed a field of our own apply, the server lists it under our name as an `Update`.
      .map((entry) => entry.fieldsV1)
      .filter((fields) => fields !== undefined)
  );
}

/** True when each field of `value` is in one of `trees`, which are all positioned at `value`. */
function covers(trees: FieldsV1[], value: Json): boolean {
  // An empty tree is a leaf: a scalar, or a list or map that is owned as a whole.
  if (trees.some((tree) => Object.keys(tree).length === 0)) return true;
  // An empty list of keyed items sets nothing that could be owned.
  if (trees.length === 0) return Array.isArray(value) && value.length === 0;
  if (Array.isArray(value)) return coversItems(trees, value);
  if (isRecord(value)) {
    return Object.entries(value).every(
      ([name, child]) => child === undefined || covers(step(trees, `f:${name}`), child),
    );
  }
  return true;
}

function coversItems(trees: FieldsV1[], items: Json[]): boolean {
  const segments = new Set(trees.flatMap((tree) => Object.keys(tree)));
  const take = (item: Json, isItem: (item: Json, segment: string) => boolean): boolean => {
    const segment = [...segments].find((candidate) => isItem(item, candidate));
    if (segment === undefined) return false;
    segments.delete(segment);
    return covers(step(trees, segment), item);
  };
  // Those with their whole key first: of {port: 53} and {port: 53, protocol: UDP} only the second is the item of UDP.
  const isExact = (item: Json): boolean => [...segments].some((segment) => hasWholeKey(item, segment));
  const [exact, others] = [items.filter((item) => isExact(item)), items.filter((item) => !isExact(item))];
  return exact.every((item) => take(item, hasWholeKey)) && others.every((item) => take(item, hasKey));
}

/** True when the item is this member of a set, or has this key and leaves no part of it out. */
function hasWholeKey(item: Json, segment: string): boolean {
  if (segment.startsWith('v:')) return segment === `v:${JSON.stringify(item)}`;
  return hasKey(item, segment) && Object.keys(keyOf(segment)).every((name) => isRecord(item) && name in item);
}

/** True when the item is the one with this key; a part of the key that the item leaves out was defaulted by the schema. */
function hasKey(item: Json, segment: string): boolean {
  if (!segment.startsWith('k:') || !isRecord(item)) return false;
  return Object.entries(keyOf(segment)).every(([name, value]) => item[name] === undefined || item[name] === value);
}

function keyOf(segment: string): Record<string, Json> {
  return JSON.parse(segment.slice(2)) as Record<string, Json>;
}

/**
 * Returns what `manager` owns of the value at `path`, such as `['spec', 'template']`, with the values that `object` has now;
 * undefined where it owns nothing there. Fields that others set, and defaults of the API server, are not in it.
 */
export function ownedPart(object: KubeObject, manager: string, path: readonly string[]): unknown {
  let trees = treesOf(object, manager);
  let value: Json = object;
  for (const name of path) {
    trees = step(trees, `f:${name}`);
    value = isRecord(value) ? value[name] : undefined;
  }
  return trees.length === 0 ? undefined : partOf(trees, value);
}

function partOf(trees: FieldsV1[], value: Json): Json {
  if (trees.some((tree) => Object.keys(tree).length === 0)) return value;
  if (Array.isArray(value)) return value.flatMap((item: Json) => partOfItem(trees, item));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, child]): [string, FieldsV1[], Json] => [name, step(trees, `f:${name}`), child])
      .filter(([, below]) => below.length > 0)
      .map(([name, below, child]) => [name, partOf(below, child)]),
  );
}

/** A list of no or one item. The API server shows every part of an item's key, defaulted ones too. */
function partOfItem(trees: FieldsV1[], item: Json): Json[] {
  const segment = trees.flatMap((tree) => Object.keys(tree)).find((candidate) => hasWholeKey(item, candidate));
  return segment === undefined ? [] : [partOf(step(trees, segment), item)];
}

function step(trees: FieldsV1[], segment: string): FieldsV1[] {
  return trees.map((tree) => tree[segment]).filter((tree) => tree !== undefined);
}
