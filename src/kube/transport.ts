/** HTTP to the API server: client-node's authentication on a connection pool of our own. */
import { createHash } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { Agent, errors } from 'undici';
import type { Dispatcher } from 'undici';
import { KubeConfig } from '@kubernetes/client-node';
import { unlessAborted } from './abortable.ts';
import { ConnectionError } from './errors.ts';

export interface TransportRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the first slash, with the query. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Ends the request, its body included. */
  signal: AbortSignal;
  /** How long to wait for the head of the answer; 0 waits as long as the signal lets it. */
  headersTimeoutMs: number;
  /** Called right before the request is sent; what it throws is thrown instead. */
  beforeSend?: () => void;
}

export type TransportResponse = Dispatcher.ResponseData;

interface Credentials {
  dispatcher: Agent;
  headers: Record<string, string>;
}

/** Node's TLS options that a kubeconfig can set, in the order that makes up the pool's identity. */
const TLS_OPTIONS = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'rejectUnauthorized', 'servername'] as const;

/**
 * Sends requests with the credentials of a kubeconfig. Tokens, client certificates and the CA are read anew for each
 * request (token files at most once a minute), so rotation needs no restart; the pool is replaced when TLS settings change.
 */
export class Transport {
  readonly #server: URL;
  readonly #userAgent: string;
  #kubeConfig: KubeConfig;
  #pool: { identity: string; agent: Agent; madeAt: number } | undefined;
  #closed = false;

  /** Throws an Error when the kubeconfig has no current cluster, or names a proxy. */
  constructor(kubeConfig: KubeConfig, userAgent: string) {
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null) throw new Error('the kubeconfig has no current cluster: set its current-context');
    if (cluster.proxyUrl !== undefined) {
      throw new Error(`the kubeconfig's cluster ${cluster.name} has a proxy-url, which is not supported: remove it`);
    }
    this.#kubeConfig = kubeConfig;
    this.#server = new URL(cluster.server);
    this.#userAgent = userAgent;
  }

  /**
   * Returns the response, whatever its status; the caller must read or destroy its body.
   * Throws ConnectionError when no answer came, also from what gives the credentials; an abort by `signal` throws the
   * signal's reason.
   */
  async send(request: TransportRequest): Promise<TransportResponse> {
    const startedAt = performance.now();
    const credentials = await this.#credentialsUnless(request.signal);
    request.beforeSend?.();
    try {
      const response = await credentials.dispatcher.request({
        ...this.#target(request.path),
        method: request.method,
        headers: {
          'user-agent': this.#userAgent,
          ...request.headers,
          ...credentials.headers,
        },
        ...(request.body === undefined ? {} : { body: request.body }),
        signal: request.signal,
        headersTimeout: request.headersTimeoutMs,
        bodyTimeout: 0,
      });
      if (response.statusCode === 401) this.#forgetCredentials();
      return response;
    } catch (error) {
      request.signal.throwIfAborted();
      if (error instanceof errors.HeadersTimeoutError) this.distrustConnections(startedAt);
      throw new ConnectionError(`no answer from the Kubernetes API server ${this.#server.host}`, { cause: error });
    }
  }

  /**
   * Returns the connection after the API server has changed it to WebSocket (RFC 6455). Throws ConnectionError where it
   * did not, whatever it answered instead.
   */
  async upgrade(request: Pick<TransportRequest, 'path' | 'headers' | 'signal'>): Promise<Duplex> {
    const { dispatcher, headers } = await this.#credentialsUnless(request.signal);
    try {
      const { socket } = await dispatcher.upgrade({
        ...this.#target(request.path),
        protocol: 'websocket',
        headers: { 'user-agent': this.#userAgent, ...request.headers, ...headers },
        signal: request.signal,
      });
      return socket;
    } catch (error) {
      request.signal.throwIfAborted();
      throw new ConnectionError(`the Kubernetes API server ${this.#server.host} opened no WebSocket`, { cause: error });
    }
  }

  /**
   * Call it when a request that was begun at `since` (performance.now()) was not answered in time: requests from now on
   * use no connection from before, since all may have gone silent together. What is in flight goes on.
   */
  distrustConnections(since: number): void {
    // Requests that fail together replace the pool once.
    if (this.#pool === undefined || this.#pool.madeAt > since) return;
    const { agent } = this.#pool;
    this.#pool = undefined;
    letEnd(agent);
  }

  /** Ends the connections at once; requests in flight fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.agent.destroy();
  }

  #target(path: string): { origin: string; path: string } {
    return { origin: this.#server.origin, path: `${this.#server.pathname.replace(/\/$/, '')}${path}` };
  }

  async #credentialsUnless(signal: AbortSignal): Promise<Credentials> {
    try {
      return await unlessAborted(this.#credentials(), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ConnectionError) throw error;
      throw new ConnectionError("the kubeconfig's credentials could not be read", { cause: error });
    }
  }

  async #credentials(): Promise<Credentials> {
    if (this.#closed) throw new ConnectionError('the Kubernetes client is closed');
    const options: RequestOptions = {};
    await this.#kubeConfig.applyToHTTPSOptions(options);
    const headers: Record<string, string> = {};
    if (typeof options.auth === 'string') {
      headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    }
    for (const [name, value] of Object.entries(options.headers ?? {})) {
      // A token file ends in a newline where a person wrote it, which is no valid header.
      if (value !== undefined) headers[name.toLowerCase()] = String(value).trim();
    }
    const tls: Record<string, unknown> = {};
    const identity = createHash('sha256');
    for (const name of TLS_OPTIONS) {
      if (options[name] === undefined) continue;
      tls[name] = options[name];
      identity.update(JSON.stringify([name, options[name]]));
    }
    return { dispatcher: this.#agentFor(identity.digest('hex'), tls), headers };
  }

  #agentFor(identity: string, tls: Record<string, unknown>): Agent {
    if (this.#pool?.identity === identity) return this.#pool.agent;
    const previous = this.#pool?.agent;
    const agent = new Agent({
      // One connection a request: with HTTP/2 all watches would share one connection, and one silent
      // connection would blind every informer at once.
      allowH2: false,
      keepAliveTimeout: 30_000,
      connect: { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000 },
    });
    this.#pool = { identity, agent, madeAt: performance.now() };
    if (previous !== undefined) letEnd(previous);
    return agent;
  }

  /** After a 401: a copy of the configuration without client-node's cached tokens, so that they are read anew. */
  #forgetCredentials(): void {
    const { clusters, users, contexts, currentContext } = this.#kubeConfig;
    this.#kubeConfig = new KubeConfig();
    this.#kubeConfig.loadFromOptions({ clusters, users, contexts, currentContext });
  }
}

/** Watches on old connections may live for minutes: close() ends what is idle and lets them end by themselves. */
function letEnd(agent: Agent): void {
  agent.close().catch(() => undefined);
}
