import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sendContent } from './content.ts';
import { Faults, parseFaults, type Fault, type FaultRoute } from './faults.ts';
import { modelInfo, treePage } from './listings.ts';
import { shippedRepositories, type Repository, type RepositoryFile, type Revision } from './repositories.ts';

export interface HubOptions {
  readonly repositories?: readonly Repository[];
  /** The token that may read private and gated repositories; any other `hf_` token is valid but may not. */
  readonly token?: string;
  readonly host?: string;
  /** 0: any free port. */
  readonly port?: number;
  readonly cdnPort?: number;
  /** Origin in redirects to large files; absent: the host of the request with the second port. */
  readonly cdnUrl?: string;
  /** Entries on one page of a file list. */
  readonly pageSize?: number;
  readonly faults?: readonly Fault[];
  /** Serve /sim/faults and /sim/requests. */
  readonly control?: boolean;
}

/** One request as a test wants to see it. */
export interface SeenRequest {
  readonly origin: 'hub' | 'cdn';
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly status: number;
}

export interface RunningHub {
  readonly url: string;
  readonly cdnUrl: string;
  /** The latest requests, oldest first, once answered. */
  readonly requests: SeenRequest[];
  setFaults(faults: readonly Fault[]): void;
  stop(): Promise<void>;
}

const KEPT_REQUESTS = 1_000;

/** An answer that is not a success, in the hub's own form: JSON, and headers that its clients read. */
class Refusal extends Error {
  readonly status: number;
  readonly code: string | undefined;

  constructor(status: number, code: string | undefined, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Starts both origins: the hub itself, and the one that large files come from. */
export async function startHub(options: HubOptions = {}): Promise<RunningHub> {
  const host = options.host ?? '127.0.0.1';
  const repositories = options.repositories ?? shippedRepositories();
  const faults = new Faults();
  faults.set(options.faults ?? []);
  const requests: SeenRequest[] = [];
  const cdn = createServer((request, response) => {
    record(requests, 'cdn', request, response);
    void guard(response, () => cdnAnswer(repositories, faults, request, response));
  });
  const cdnPort = await listen(cdn, host, options.cdnPort ?? 0);
  const context: Context = { options, repositories, faults, cdnPort, requests };
  const hub = createServer((request, response) => {
    record(requests, 'hub', request, response);
    void guard(response, () => hubAnswer(context, request, response));
  });
  const port = await listen(hub, host, options.port ?? 0);
  return {
    url: `http://${host}:${port}`,
    cdnUrl: `http://${host}:${cdnPort}`,
    requests,
    setFaults: (list) => faults.set(list),
    stop: async () => {
      await Promise.all([hub, cdn].map((server) => close(server)));
    },
  };
}

interface Context {
  readonly options: HubOptions;
  readonly repositories: readonly Repository[];
  readonly faults: Faults;
  readonly cdnPort: number;
  readonly requests: SeenRequest[];
}

async function hubAnswer(context: Context, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://hub');
  if (context.options.control === true && url.pathname.startsWith('/sim/')) {
    await control(context, url.pathname, request, response);
    return;
  }
  if (url.pathname === '/health') {
    response.end('ok');
    return;
  }
  const target = readPath(url.pathname);
  if (target === undefined) throw new Refusal(404, undefined, 'Sorry, we can’t find the page you are looking for.');
  const fault = context.faults.take(target.route, target.id, target.file);
  if (await failed(response, fault)) return;
  const access = checkToken(context.options, request);
  const repository = findRepository(context.repositories, target.id, access);
  const revision = findRevision(repository, target.revision);
  if (target.route === 'info') {
    json(response, 200, modelInfo(repository, revision, url.searchParams.get('blobs') === 'true'));
    return;
  }
  if (target.route === 'tree') {
    const { entries, next } = treePage(revision, url, context.options.pageSize ?? 1_000);
    const link = next === undefined ? {} : { link: `<http://${request.headers.host}${next}>; rel="next"` };
    json(response, 200, entries, { 'x-repo-commit': revision.commit, ...link });
    return;
  }
  checkGate(repository, access);
  const file = revision.files.find(({ path }) => path === target.file);
  if (file === undefined) throw new Refusal(404, 'EntryNotFound', 'Entry not found');
  if (target.route === 'content') {
    response.setHeader('x-repo-commit', revision.commit);
    await sendContent(request, response, file.content, file.oid, fault);
    return;
  }
  redirectToContent(context, request, response, { repository, revision, file });
}

function redirectToContent(
  context: Context,
  request: IncomingMessage,
  response: ServerResponse,
  found: { repository: Repository; revision: Revision; file: RepositoryFile },
): void {
  const { repository, revision, file } = found;
  const path = file.path.split('/').map(encodeURIComponent).join('/');
  const name = request.headers.host?.replace(/:\d+$/, '') ?? '127.0.0.1';
  const cdn = context.options.cdnUrl ?? `http://${name}:${context.cdnPort}`;
  const lfs = file.lfs !== undefined;
  response
    .writeHead(lfs ? 302 : 307, {
      location: lfs
        ? `${cdn}/repos/${repository.id}/${file.lfs?.oid}?X-Amz-Signature=0123abcd`
        : `/api/resolve-cache/models/${repository.id}/${revision.commit}/${path}`,
      'x-repo-commit': revision.commit,
      'x-linked-size': String(file.content.length),
      'x-linked-etag': `"${file.lfs?.oid ?? file.oid}"`,
      etag: `"${file.lfs?.oid ?? file.oid}"`,
      'accept-ranges': 'bytes',
      'content-length': 0,
    })
    .end();
}

async function cdnAnswer(
  repositories: readonly Repository[],
  faults: Faults,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // An object store refuses a signed URL that comes with a second authorization.
  if (request.headers.authorization !== undefined) {
    throw new Refusal(400, undefined, 'Only one auth mechanism allowed');
  }
  const url = new URL(request.url ?? '/', 'http://cdn');
  const [, id = '', oid = ''] = /^\/repos\/([^/]+\/[^/]+)\/([0-9a-f]{64})$/.exec(url.pathname) ?? [];
  const repository = repositories.find((candidate) => candidate.id === id);
  const files = Object.values(repository?.refs ?? {}).flatMap((revision) => revision.files);
  const file = files.find((candidate) => candidate.lfs?.oid === oid);
  if (file === undefined || !url.searchParams.has('X-Amz-Signature')) {
    throw new Refusal(403, undefined, 'Access Denied');
  }
  const fault = faults.take('content', id, file.path);
  if (await failed(response, fault)) return;
  await sendContent(request, response, file.content, oid, fault);
}

interface Target {
  readonly route: FaultRoute;
  readonly id: string;
  readonly revision: string;
  readonly file: string | undefined;
}

function readPath(pathname: string): Target | undefined {
  const patterns: readonly [FaultRoute, RegExp][] = [
    ['info', /^\/api\/models\/([^/]+\/[^/]+)(?:\/revision\/([^/]+))?$/],
    ['tree', /^\/api\/models\/([^/]+\/[^/]+)\/tree\/([^/]+)$/],
    ['content', /^\/api\/resolve-cache\/models\/([^/]+\/[^/]+)\/([^/]+)\/(.+)$/],
    ['resolve', /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/],
  ];
  for (const [route, pattern] of patterns) {
    const [, id, revision = 'main', file] = pattern.exec(pathname) ?? [];
    if (id === undefined) continue;
    const decoded = file === undefined ? undefined : decodeURIComponent(file);
    return { route, id: decodeURIComponent(id), revision: decodeURIComponent(revision), file: decoded };
  }
  return undefined;
}

/** Applies what a fault does before an answer; true where it has answered. */
async function failed(response: ServerResponse, fault: Fault | undefined): Promise<boolean> {
  if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
  if (fault?.cutAfterBytes === 0) {
    response.destroy();
    return true;
  }
  if (fault?.status === undefined) return false;
  const retry = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
  json(response, fault.status, { error: `Injected ${fault.status}` }, retry);
  return true;
}

type Access = 'none' | 'stranger' | 'member';

function checkToken(options: HubOptions, request: IncomingMessage): Access {
  const header = request.headers.authorization;
  if (header === undefined) return 'none';
  const token = header.replace(/^Bearer /, '');
  if (options.token !== undefined && token === options.token) return 'member';
  if (token.startsWith('hf_stranger')) return 'stranger';
  throw new Refusal(401, undefined, 'Invalid credentials in Authorization header');
}

function findRepository(repositories: readonly Repository[], id: string, access: Access): Repository {
  const repository = repositories.find((candidate) => candidate.id === id);
  if (repository !== undefined && (!repository.private || access === 'member')) return repository;
  // Whoever is unknown is not told whether the repository exists.
  if (access === 'none') throw new Refusal(401, 'RepoNotFound', 'Invalid username or password.');
  throw new Refusal(404, 'RepoNotFound', 'Repository not found');
}

function findRevision(repository: Repository, name: string): Revision {
  const revision = repository.refs[name] ?? Object.values(repository.refs).find(({ commit }) => commit === name);
  if (revision === undefined) throw new Refusal(404, 'RevisionNotFound', `Invalid rev id: ${name}`);
  return revision;
}

/** The list of a gated repository is public, its files are not. */
function checkGate(repository: Repository, access: Access): void {
  if (repository.gated === false || access === 'member') return;
  const restricted = `Access to model ${repository.id} is restricted`;
  if (access === 'none')
    throw new Refusal(401, 'GatedRepo', `${restricted}. You must have access to it. Please log in.`);
  throw new Refusal(403, 'GatedRepo', `${restricted} and you are not in the authorized list.`);
}

async function control(
  context: Context,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (path === '/sim/requests') {
    json(response, 200, context.requests);
    return;
  }
  if (path !== '/sim/faults' || request.method !== 'POST') throw new Refusal(404, undefined, 'Not found');
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  let faults: Fault[];
  try {
    faults = parseFaults(Buffer.concat(parts).toString());
  } catch (error) {
    throw new Refusal(400, undefined, (error as Error).message);
  }
  context.faults.set(faults);
  json(response, 200, faults);
}

async function guard(response: ServerResponse, answer: () => Promise<void>): Promise<void> {
  try {
    await answer();
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const refusal = error instanceof Refusal ? error : new Refusal(500, undefined, String(error));
    const code = refusal.code === undefined ? {} : { 'x-error-code': refusal.code };
    // Header values are Latin-1.
    const message = { 'x-error-message': refusal.message.replaceAll('’', "'") };
    json(response, refusal.status, { error: refusal.message }, { ...code, ...message });
  }
}

function record(requests: SeenRequest[], origin: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse) {
  response.once('close', () => {
    const { method = '', url = '', headers } = request;
    if (url.startsWith('/sim/')) return;
    const { range, authorization } = headers;
    requests.push({ origin, method, path: url, range, authorization, status: response.statusCode });
    if (requests.length > KEPT_REQUESTS) requests.shift();
  });
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, {
      ...headers,
      'content-type': 'application/json; charset=utf-8',
      'content-length': bytes.length,
    })
    .end(bytes);
}

async function listen(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
