/** Where a call to the API server goes. */
import type { TransportRequest } from './transport.ts';
import { resourceName } from './types.ts';
import type { ObjectReference, Resource } from './types.ts';

export type Subresource = 'status' | 'scale' | 'token';

export const PATCH_TYPES = {
  apply: 'application/apply-patch+yaml',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

/** One request, before authentication. */
export interface Call {
  verb: string;
  resource: string;
  method: TransportRequest['method'];
  path: string;
  query?: Record<string, string | undefined>;
  body?: unknown;
  contentType?: string;
  /** The type of the answer; JSON where it is absent. */
  accept?: string;
}

/** Returns the reference of a whole namespace, or of all namespaces. */
export function namespaceOnly(namespace: string | undefined): Partial<ObjectReference> {
  return namespace === undefined ? {} : { namespace };
}

/** Returns a call without query and body; `resource` in it is the label of metrics. */
export function callOf(
  verb: string,
  method: Call['method'],
  resource: Resource,
  ref: Partial<ObjectReference>,
  subresource?: Subresource,
): Call {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`;
  const parts = [root, resource.version];
  if (ref.namespace !== undefined && resource.namespaced) parts.push('namespaces', encodeURIComponent(ref.namespace));
  parts.push(resource.plural);
  if (ref.name !== undefined) parts.push(encodeURIComponent(ref.name));
  if (subresource !== undefined) parts.push(subresource);
  const name = resourceName(resource);
  return { verb, method, resource: subresource === undefined ? name : `${name}/${subresource}`, path: parts.join('/') };
}

/** Returns the query with its question mark; undefined values are left out. */
export function queryString(query: Record<string, string | undefined>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
