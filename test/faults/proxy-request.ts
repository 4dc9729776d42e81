/** What a request to the API server means: its verb, resource and name. */
import type { IncomingMessage } from 'node:http';

export interface ApiRequest {
  verb: string;
  /** `plural.group`, or `plural` for the core group; empty for paths that are no resource (`/readyz`). */
  resource: string;
  subresource: string;
  namespace: string;
  /** Of a create it is taken from the body, of a generated name from the answer. */
  name: string;
}

/** A rule applies where every given field is equal; `resource` also matches the plural alone. */
export interface RequestMatch {
  verb?: string | readonly string[];
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

export const WRITE_VERBS: readonly string[] = ['create', 'update', 'patch', 'apply', 'delete', 'deletecollection'];

/** Returns what the request asks for; `body` is that of a write. */
export function parseRequest(request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>, body: string): ApiRequest {
  const url = new URL(request.url ?? '/', 'http://server');
  const parts = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const [root, ...afterRoot] = parts;
  const none = { verb: (request.method ?? '').toLowerCase(), resource: '', subresource: '', namespace: '', name: '' };
  let group = '';
  let rest: string[];
  if (root === 'api') rest = afterRoot.slice(1);
  else if (root === 'apis') {
    group = afterRoot[0] ?? '';
    rest = afterRoot.slice(2);
  } else return none;
  let namespace = '';
  if (rest[0] === 'namespaces' && rest.length > 2) {
    namespace = rest[1] ?? '';
    rest = rest.slice(2);
  }
  const [plural, name = '', subresource = ''] = rest;
  if (plural === undefined) return none;
  const resource = group === '' ? plural : `${plural}.${group}`;
  const verb = verbOf(request, url.searchParams, name !== '');
  return { verb, resource, subresource, namespace, name: verb === 'create' && name === '' ? nameIn(body) : name };
}

function verbOf(request: Pick<IncomingMessage, 'method' | 'headers'>, query: URLSearchParams, named: boolean): string {
  switch (request.method ?? '') {
    case 'GET':
      if (query.get('watch') === 'true' || query.get('watch') === '1') return 'watch';
      return named ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return (request.headers['content-type'] ?? '').startsWith('application/apply-patch') ? 'apply' : 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      return (request.method ?? '').toLowerCase();
  }
}

/** Returns metadata.name in a JSON object, or an empty string. */
export function nameIn(body: string): string {
  try {
    const object = JSON.parse(body) as { metadata?: { name?: string } } | null;
    return object?.metadata?.name ?? '';
  } catch {
    return '';
  }
}

/** True where the request is what `match` describes. */
export function matches(request: ApiRequest, match: RequestMatch): boolean {
  const { verb, resource, ...exact } = match;
  if (verb !== undefined && !(typeof verb === 'string' ? [verb] : verb).includes(request.verb)) return false;
  if (resource !== undefined && resource !== request.resource && resource !== request.resource.split('.')[0]) {
    return false;
  }
  return Object.entries(exact).every(
    ([field, value]) => value === undefined || request[field as keyof typeof exact] === value,
  );
}
