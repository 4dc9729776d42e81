/** The shapes every Kubernetes object shares, and typed handles of kinds. */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Which fields one manager owns (https://kubernetes.io/docs/reference/using-api/server-side-apply). */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: FieldsV1;
  /** `status` or `scale` where the fields were written through that subresource. */
  subresource?: string;
}

/** A tree of field names (`f:spec`), keys of list items (`k:{"name":"x"}`) and set members (`v:"x"`). */
export interface FieldsV1 {
  [segment: string]: FieldsV1;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** A typed handle of a kind: where its objects are served, and (in `T`) what they look like. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** Never set: it only ties `T` to the handle. */
  readonly objectType?: T;
}

export interface ObjectReference {
  namespace?: string;
  name: string;
}

export type WatchEvent<T extends KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  /** Only `metadata.resourceVersion` of a bookmark's object is set. */
  | { type: 'BOOKMARK'; object: KubeObject };

/** pino's shape. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Returns `group/version`, or `version` for the core group, as in the apiVersion field. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** Returns `plural.group` (`deployments.apps`, `pods`), the name used in logs and metric labels. */
export function resourceName(resource: Resource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** Returns the key `namespace/name` (or `name`) by which caches and queues know an object. */
export function objectKey(ref: ObjectReference): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** Returns the reference that `objectKey` made the key from. */
export function parseKey(key: string): ObjectReference {
  const slash = key.indexOf('/');
  return slash === -1 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/**
 * Compares two resourceVersions as numbers: negative, zero or positive; undefined where one of them is no number.
 * Kubernetes promises this order from 1.35 on; every etcd-backed server before kept it too.
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (a === undefined || b === undefined || !/^\d+$/.test(a) || !/^\d+$/.test(b)) return undefined;
  // Longer is larger (there are no leading zeros), which avoids rounding beyond 2^53.
  if (a.length !== b.length) return a.length - b.length;
  return a === b ? 0 : a < b ? -1 : 1;
}
