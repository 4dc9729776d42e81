/**
 * A reverse proxy between a client and a real API server that records what passes and produces faults by script:
 *
 *   const proxy = await startFaultProxy({ upstream: controlPlane.kubeconfig, seed: 7 });
 *   proxy.rule({ match: { verb: 'create', resource: 'services', nth: 1 }, action: { type: 'drop-response', how: 'reset' } });
 *   for (const watch of proxy.watches({ resource: 'pods' })) watch.end('blackhole');
 *   proxy.writes();   // every write in order, with its status
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { stringify } from 'yaml';
import { ensureCertificate } from '../cluster/certificates.ts';
import { WRITE_VERBS, matches, nameIn, parseRequest } from './proxy-request.ts';
import type { ApiRequest, RequestMatch } from './proxy-request.ts';
import { RuleBook } from './proxy-rules.ts';
import { reset } from './reset.ts';
import type { Action, Rule, RuleHandle } from './proxy-rules.ts';
import { Upstream } from './proxy-upstream.ts';
import { WatchStream } from './proxy-watch.ts';
import type { LiveWatch } from './proxy-watch.ts';

/** One request that reached the proxy. */
export interface RecordedRequest extends ApiRequest {
  sequence: number;
  /** performance.now() when it came. */
  atMs: number;
  /** What the API server answered; absent where it was not asked, or has not answered yet. */
  status?: number;
  /** Of a write. */
  body?: string;
  /** The query, without the question mark. */
  query: string;
}

export interface FaultProxyOptions {
  /** Path of the kubeconfig to the real API server, with a client certificate. */
  upstream: string;
  /** Acts as this user, by impersonation: RBAC then applies to it. */
  impersonate?: { user: string; groups?: string[] };
  /** Of all that is drawn; default 1. */
  seed?: number;
}

export interface FaultProxy {
  url: string;
  /** Path of a kubeconfig that leads through the proxy. A client's own bearer token is passed on instead of `upstream`'s rights. */
  kubeconfig: string;
  rule(rule: Rule): RuleHandle;
  clearRules(): void;
  /** All requests in the order in which they came. */
  requests(match?: RequestMatch): RecordedRequest[];
  /** The writes among them, faulty ones included. */
  writes(match?: RequestMatch): RecordedRequest[];
  /** How many requests came, by `verb resource`. */
  counts(match?: RequestMatch): Record<string, number>;
  /** Forgets the recorded requests, but for those of `refused`. */
  reset(): void;
  /** Those for which the API server found no right, also of before a reset. */
  refused(): RecordedRequest[];
  /** The watches that are open. */
  watches(match?: RequestMatch): LiveWatch[];
  /** Cuts every connection and refuses new ones, until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a proxy on a free port of the loopback interface. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const directory = await mkdtemp(join(tmpdir(), 'infer-fault-proxy-'));
  const issuer = await ensureCertificate(join(directory, 'ca'), { commonName: 'fault-proxy-ca' });
  const pair = await ensureCertificate(join(directory, 'server'), {
    commonName: 'fault-proxy',
    issuer,
    alternativeNames: ['IP:127.0.0.1'],
  });
  const upstream = await Upstream.fromKubeconfig(options.upstream, options.impersonate);
  const handler = new ProxyHandler(upstream, new RuleBook(options.seed ?? 1));
  const before: RecordedRequest[] = [];
  const server = https.createServer(
    { cert: await readFile(pair.certificateFile), key: await readFile(pair.keyFile), keepAliveTimeout: 90_000 },
    (request, response) => {
      handler.handle(request, response).catch((error: unknown) => {
        // A connection that breaks while we answer is part of the tests; the client sees it as such.
        response.destroy(error instanceof Error ? error : undefined);
      });
    },
  );
  // The TLS socket knows only its peer; faults act on the TCP connection below it.
  server.on('connection', (socket: Socket) => handler.connected(socket));
  const listen = async (port: number): Promise<void> => {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}`;
  const kubeconfig = join(directory, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText(url, await readFile(issuer.certificateFile)), { mode: 0o600 });
  const down = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    handler.cutAll();
    await closed;
  };
  return {
    url,
    kubeconfig,
    rule: (rule) => handler.rules.add(rule),
    clearRules: () => handler.rules.clear(),
    requests: (match = {}) => handler.requests.filter((request) => matches(request, match)),
    writes: (match = {}) =>
      handler.requests.filter((request) => WRITE_VERBS.includes(request.verb) && matches(request, match)),
    counts: (match = {}) => {
      const counts: Record<string, number> = {};
      for (const request of handler.requests.filter((entry) => matches(entry, match))) {
        const label = `${request.verb} ${request.resource}${request.subresource === '' ? '' : `/${request.subresource}`}`;
        counts[label] = (counts[label] ?? 0) + 1;
      }
      return counts;
    },
    reset: () => void before.push(...handler.requests.splice(0).filter(mayBeRefused)),
    refused: () => [...before, ...handler.requests].filter(isRefused),
    watches: (match = {}) => [...handler.watches].filter((watch) => matches(watch.request, match)),
    down,
    up: async () => await listen(port),
    stop: async () => {
      await down();
      upstream.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function isRefused({ status }: RecordedRequest): boolean {
  return status === 401 || status === 403;
}

/** Also where the answer is still to come. */
function mayBeRefused(request: RecordedRequest): boolean {
  return request.status === undefined || isRefused(request);
}

function kubeconfigText(url: string, ca: Buffer): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'proxy', cluster: { server: url, 'certificate-authority-data': ca.toString('base64') } }],
    users: [{ name: 'proxy', user: {} }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
    'current-context': 'proxy',
  });
}

class ProxyHandler {
  readonly requests: RecordedRequest[] = [];
  readonly watches = new Set<LiveWatch>();
  readonly rules: RuleBook;
  readonly #upstream: Upstream;
  readonly #connections = new Map<string, Socket>();
  #sequence = 0;

  constructor(upstream: Upstream, rules: RuleBook) {
    this.#upstream = upstream;
    this.rules = rules;
  }

  connected(socket: Socket): void {
    const peer = String(socket.remotePort);
    this.#connections.set(peer, socket);
    // A reset connection reports an error that nobody waits for.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#connections.delete(peer));
  }

  cutAll(): void {
    for (const socket of this.#connections.values()) cut(socket, 'reset');
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => undefined);
    const connection = this.#connectionOf(request);
    const body = await buffer(request);
    const record = this.#record(request, body.toString('utf8'));
    const actions = this.rules.forRequest(record);
    if (await this.#before(actions, response, connection)) return;

    const answer = await this.#upstream.forward(request, body);
    record.status = answer.statusCode ?? 0;
    if (record.verb === 'watch' && record.status === 200) {
      this.#passWatch({ request: record, upstream: answer, response, connection, rules: this.rules, actions });
      return;
    }
    const watched = actions.some((action) => ['drop-response', 'error-after', 'record', 'hook'].includes(action.type));
    if (!watched && record.verb !== 'create') {
      response.writeHead(record.status, answer.headers);
      answer.on('error', () => response.destroy());
      response.on('close', () => answer.destroy());
      answer.pipe(response);
      return;
    }
    const answered = await buffer(answer);
    if (record.name === '') record.name = nameIn(answered.toString('utf8'));
    await this.#after(actions, answer, answered, response, connection);
  }

  #connectionOf(request: IncomingMessage): Socket {
    return this.#connections.get(String(request.socket.remotePort)) ?? request.socket;
  }

  #record(request: IncomingMessage, body: string): RecordedRequest {
    const parsed = parseRequest(request, body);
    this.#sequence += 1;
    const record: RecordedRequest = {
      ...parsed,
      sequence: this.#sequence,
      atMs: performance.now(),
      query: (request.url ?? '').split('?')[1] ?? '',
      ...(WRITE_VERBS.includes(parsed.verb) ? { body } : {}),
    };
    this.requests.push(record);
    return record;
  }

  /** Does what comes before the API server is asked; true when it is not to be asked at all. */
  async #before(actions: Action[], response: ServerResponse, connection: Socket): Promise<boolean> {
    for (const action of actions) {
      if (action.type === 'delay') await this.#delay(action.ms);
      else if (action.type === 'hook') await action.before?.();
      else if (action.type === 'blackhole') return true;
      else if (action.type === 'error') {
        answerError(response, action);
        return true;
      } else if (action.type === 'cut') {
        cut(connection, action.how);
        return true;
      } else if (action.type === 'replay') {
        const { status = 500, contentType = '', body } = action.recording;
        response.writeHead(status, { 'content-type': contentType });
        response.end(body);
        return true;
      }
    }
    return false;
  }

  async #after(
    actions: Action[],
    answer: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    connection: Socket,
  ): Promise<void> {
    const status = answer.statusCode ?? 0;
    for (const action of actions) {
      if (action.type === 'hook') await action.after?.();
      else if (action.type === 'record') {
        Object.assign(action.recording, { status, contentType: answer.headers['content-type'], body });
      } else if (action.type === 'drop-response') {
        cut(connection, action.how);
        return;
      } else if (action.type === 'error-after') {
        answerError(response, action);
        return;
      }
    }
    const { 'transfer-encoding': _chunked, ...headers } = answer.headers;
    response.writeHead(status, { ...headers, 'content-length': body.length });
    response.end(body);
  }

  #passWatch(options: ConstructorParameters<typeof WatchStream>[0]): void {
    const { response, upstream } = options;
    response.writeHead(200, upstream.headers);
    response.flushHeaders();
    const watch = new WatchStream(options);
    this.watches.add(watch);
    response.on('close', () => {
      this.watches.delete(watch);
      upstream.destroy();
    });
  }

  async #delay(ms: number | readonly [number, number]): Promise<void> {
    const drawn = typeof ms === 'number' ? ms : ms[0] + (ms[1] - ms[0]) * this.rules.random();
    await new Promise((resolve) => setTimeout(resolve, drawn));
  }
}

function cut(connection: Socket, how: 'fin' | 'reset'): void {
  if (how === 'reset') reset(connection);
  else connection.destroy();
}

function answerError(response: ServerResponse, action: Extract<Action, { status: number; reason?: string }>): void {
  const { status, reason = '', message = `the fault proxy answers ${status}` } = action;
  const body = 'body' in action && action.body !== undefined ? action.body : undefined;
  const object = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message };
  response.writeHead(status, { 'content-type': 'application/json', ...('headers' in action ? action.headers : {}) });
  response.end(body ?? JSON.stringify(object));
}
