/** A thin JSON client of the Kubernetes API: objects go in and out as they are, no field is lost on the way. */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import { ApiError, ConnectionError, WatchFormatError, WritesEnded, isNotFound } from './errors.ts';
import { splitLines } from './lines.ts';
import { decodeWatchEvent, errorFromResponse } from './responses.ts';
import { PATCH_TYPES, callOf, namespaceOnly, queryString } from './calls.ts';
import type { Call, Subresource } from './calls.ts';
import type {
  CallOptions,
  ClientOptions,
  DeleteOptions,
  ListOptions,
  ListPage,
  TokenRequestSpec,
  WatchOptions,
  WriteOptions,
} from './client-options.ts';
import { Transport } from './transport.ts';
import type { TransportRequest, TransportResponse } from './transport.ts';
import { apiVersionOf, resourceName } from './types.ts';
import type { KubeObject, ObjectReference, Resource, WatchEvent } from './types.ts';

export type {
  CallOptions,
  ClientOptions,
  DeleteOptions,
  ListOptions,
  ListPage,
  WatchOptions,
} from './client-options.ts';

const SERVICE_ACCOUNTS: Resource = {
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
};

/** Ends writes: after `signal` aborts or `fence` returns false. */
interface WriteGate {
  signal: AbortSignal;
  fence: () => boolean;
}

export class KubeClient {
  readonly #transport: Transport;
  readonly #options: Required<Pick<ClientOptions, 'requestTimeoutMs' | 'onRequest'>>;
  readonly #gate: WriteGate | undefined;

  private constructor(
    transport: Transport,
    options: Required<Pick<ClientOptions, 'requestTimeoutMs' | 'onRequest'>>,
    gate?: WriteGate,
  ) {
    this.#transport = transport;
    this.#options = options;
    this.#gate = gate;
  }

  /** Returns a client of the kubeconfig's current context. Throws an Error when it has none. */
  static fromKubeConfig(kubeConfig: KubeConfig, options: ClientOptions = {}): KubeClient {
    return new KubeClient(new Transport(kubeConfig, options.userAgent ?? 'kube-client'), {
      requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
      onRequest: options.onRequest ?? ((): void => undefined),
    });
  }

  /**
   * Returns a client on the same connections that writes only while it may: after `signal` aborts, or when `fence`
   * returns false, every write throws WritesEnded, and those in flight are cut off. Reads go on.
   * `fence` is asked right before each write: a process that was stopped and continued can run callbacks before the
   * timer that aborts the signal.
   */
  writesUntil(signal: AbortSignal, fence: () => boolean = () => true): KubeClient {
    // Each write in flight listens to it, which is no leak.
    setMaxListeners(0, signal);
    return new KubeClient(this.#transport, this.#options, { signal, fence });
  }

  /** Returns the object, or undefined when there is none. All calls throw ApiError and ConnectionError. */
  async get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectReference,
    options: CallOptions = {},
  ): Promise<T | undefined> {
    try {
      return (await this.#json(callOf('get', 'GET', resource, ref), options)) as T;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Returns one page of the most recent state (a quorum read). A continue token that has expired throws ApiError 410. */
  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions): Promise<ListPage<T>> {
    const query = {
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
      limit: options.limit?.toString(),
      continue: options.continueToken,
    };
    const call = { ...callOf('list', 'GET', resource, namespaceOnly(options.namespace)), query };
    const page = (await this.#json(call, options)) as {
      metadata?: { resourceVersion?: string; continue?: string };
      items?: T[] | null;
    };
    if (page.metadata?.resourceVersion === undefined) {
      throw new ConnectionError(
        `the list of ${resourceName(resource)} has no resourceVersion: is the server a Kubernetes API server?`,
      );
    }
    const { resourceVersion, continue: continueToken } = page.metadata;
    return {
      items: page.items ?? [],
      resourceVersion,
      ...(continueToken === undefined || continueToken === '' ? {} : { continueToken }),
    };
  }

  /**
   * Yields the events after `resourceVersion`, bookmarks included, until the server ends the watch.
   * Throws ApiError for an error answer or an in-stream ERROR event (410: list again), WatchFormatError for a line
   * that is no event, ConnectionError when the connection breaks, and the signal's reason after an abort.
   */
  async *watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const call: Call = {
      ...callOf('watch', 'GET', resource, namespaceOnly(options.namespace)),
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: options.resourceVersion,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
        timeoutSeconds: options.timeoutSeconds?.toString(),
      },
    };
    const startedAt = performance.now();
    const response = await this.#send(call, options.signal, { headersTimeoutMs: this.#options.requestTimeoutMs });
    try {
      options.onOpen?.();
      for await (const line of splitLines(response.body)) yield decodeWatchEvent<T>(line);
    } catch (error) {
      if (options.signal.reason instanceof ConnectionError) this.#transport.distrustConnections(startedAt);
      options.signal.throwIfAborted();
      if (error instanceof ApiError || error instanceof WatchFormatError) throw error;
      throw new ConnectionError(`the watch of ${resourceName(resource)} broke`, { cause: error });
    } finally {
      response.body.on('error', () => undefined).destroy();
    }
  }

  /** Returns what the server stored. Throws ApiError 409 (AlreadyExists) when the name is taken. */
  async create<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const call = { ...callOf('create', 'POST', resource, namespaceOnly(object.metadata.namespace)), body: object };
    return (await this.#write({ ...call, query: writeQuery(options) }, options)) as T;
  }

  /** Replaces the object; throws ApiError 409 where its resourceVersion is not the current one. */
  async update<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions & { subresource?: Subresource; fieldManager?: string } = {},
  ): Promise<T> {
    const call = { ...callOf('update', 'PUT', resource, object.metadata, options.subresource), body: object };
    return (await this.#write({ ...call, query: { fieldManager: options.fieldManager } }, options)) as T;
  }

  /**
   * Server-side apply of the fields in `object`. With `metadata.uid` set it is refused (409) unless exactly that
   * object exists. `managedFields` and `resourceVersion` of `object` must be absent, except as a precondition.
   */
  async apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: CallOptions & { fieldManager: string; force?: boolean; subresource?: Subresource },
  ): Promise<T> {
    const call: Call = {
      ...callOf('apply', 'PATCH', resource, object.metadata, options.subresource),
      query: { fieldManager: options.fieldManager, force: options.force === true ? 'true' : undefined },
      body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object },
      contentType: PATCH_TYPES.apply,
    };
    return (await this.#write(call, options)) as T;
  }

  /** Returns the patched object. */
  async patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectReference,
    body: unknown,
    options: WriteOptions & { type: 'merge' | 'json'; subresource?: Subresource },
  ): Promise<T> {
    const call: Call = {
      ...callOf('patch', 'PATCH', resource, ref, options.subresource),
      query: writeQuery(options),
      body,
      contentType: PATCH_TYPES[options.type],
    };
    return (await this.#write(call, options)) as T;
  }

  /** Deletes the object; one that is already gone is a success. */
  async delete(resource: Resource, ref: ObjectReference, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy } = options;
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy };
    try {
      await this.#write({ ...callOf('delete', 'DELETE', resource, ref), body }, options);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /**
   * Returns a new token of a ServiceAccount for other audiences than the API server (TokenRequest). It changes no
   * object, so that it is no write that `writesUntil` ends.
   */
  async requestToken(
    account: Required<ObjectReference>,
    spec: TokenRequestSpec,
    options: CallOptions = {},
  ): Promise<{ token: string; expiresAt: Date }> {
    const call = {
      ...callOf('create', 'POST', SERVICE_ACCOUNTS, account, 'token'),
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec },
    };
    const { status } = (await this.#json(call, options)) as {
      status?: { token?: string; expirationTimestamp?: string };
    };
    if (!status?.token) throw new ConnectionError('the answer to a TokenRequest has no token');
    return { token: status.token, expiresAt: new Date(status.expirationTimestamp ?? 0) };
  }

  /** Returns the body of a GET as text (logs of a pod, `/version`), of the type that `accept` names. */
  async getText(
    path: string,
    query: Record<string, string | undefined> = {},
    options: CallOptions & { accept?: string } = {},
  ): Promise<string> {
    const { accept = '*/*' } = options;
    const call: Call = { verb: 'get', resource: 'text', method: 'GET', path, query, accept };
    return await this.#answer(call, options, async (response) => await response.body.text());
  }

  /** Yields the body of a GET as it comes, in pieces, until it ends (logs that are followed) or the signal aborts. */
  async *stream(
    path: string,
    query: Record<string, string | undefined>,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const call: Call = { verb: 'get', resource: 'text', method: 'GET', path, query, accept: '*/*' };
    const response = await this.#send(call, signal, { headersTimeoutMs: this.#options.requestTimeoutMs });
    try {
      for await (const piece of response.body) yield piece as Uint8Array;
    } catch (error) {
      signal.throwIfAborted();
      throw new ConnectionError(`the answer to get ${path} broke off`, { cause: error });
    } finally {
      response.body.on('error', () => undefined).destroy();
    }
  }

  /**
   * Returns a WebSocket connection of this subprotocol, on which frames pass as they are. Throws ApiError where the server
   * refuses, ConnectionError where it opens none for another reason.
   */
  async upgrade(path: string, query: Record<string, string>, protocol: string): Promise<Duplex> {
    const signal = AbortSignal.timeout(this.#options.requestTimeoutMs);
    try {
      return await this.#transport.upgrade({
        path: `${path}${queryString(query)}`,
        headers: {
          'sec-websocket-version': '13',
          'sec-websocket-key': randomBytes(16).toString('base64'),
          'sec-websocket-protocol': protocol,
        },
        signal,
      });
    } catch (error) {
      // The refusal's own words are in the answer to a plain request; 400 says only that it was one.
      const refusal: unknown = await this.getText(path, query).catch((reason: unknown) => reason);
      if (refusal instanceof ApiError && refusal.status !== 400) throw refusal;
      throw error;
    }
  }

  /** Ends all connections, also those of clients made by `writesUntil`. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #write(call: Call, options: CallOptions): Promise<unknown> {
    const gate = this.#gate;
    if (gate === undefined) return await this.#json(call, options);
    assertOpen(gate);
    try {
      return await this.#json(call, options, gate);
    } catch (error) {
      if (gate.signal.aborted) throw new WritesEnded({ cause: error });
      throw error;
    }
  }

  async #json(call: Call, options: CallOptions, gate?: WriteGate): Promise<unknown> {
    return await this.#answer(call, options, async (response) => await response.body.json(), gate);
  }

  /** Sends the call and reads its answer, within the timeout, the caller's signal, and the gate. */
  async #answer<R>(
    call: Call,
    options: CallOptions,
    read: (response: TransportResponse) => Promise<R>,
    gate?: WriteGate,
  ): Promise<R> {
    const timeoutMs = options.timeoutMs ?? this.#options.requestTimeoutMs;
    const startedAt = performance.now();
    const controller = new AbortController();
    const sources = [options.signal, gate?.signal].filter((signal) => signal !== undefined);
    const abort = (): void => controller.abort(sources.find((signal) => signal.aborted)?.reason);
    const timer = setTimeout(() => {
      this.#transport.distrustConnections(startedAt);
      controller.abort(new ConnectionError(`no answer from the Kubernetes API server within ${timeoutMs} ms`));
    }, timeoutMs);
    for (const source of sources) source.addEventListener('abort', abort, { once: true });
    if (sources.some((source) => source.aborted)) abort();
    try {
      // Asked right before the request is sent: to get credentials may have taken long.
      const beforeSend = gate && ((): void => assertOpen(gate));
      const response = await this.#send(call, controller.signal, {
        headersTimeoutMs: 0,
        ...(beforeSend && { beforeSend }),
      });
      try {
        return await read(response);
      } catch (error) {
        controller.signal.throwIfAborted();
        throw new ConnectionError(`the answer to ${call.verb} ${call.path} could not be read`, { cause: error });
      }
    } finally {
      clearTimeout(timer);
      for (const source of sources) source.removeEventListener('abort', abort);
    }
  }

  /** Returns a response whose status is below 300; throws ApiError for any other. */
  async #send(
    call: Call,
    signal: AbortSignal,
    limits: Pick<TransportRequest, 'headersTimeoutMs' | 'beforeSend'>,
  ): Promise<TransportResponse> {
    const startedAt = performance.now();
    let code = 'error';
    try {
      signal.throwIfAborted();
      const response = await this.#transport.send({
        method: call.method,
        path: `${call.path}${queryString(call.query ?? {})}`,
        headers: {
          accept: call.accept ?? 'application/json',
          ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
        },
        ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
        signal,
        ...limits,
      });
      code = String(response.statusCode);
      if (response.statusCode >= 300) throw await errorFromResponse(response, `${call.verb} ${call.path}`);
      return response;
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      this.#options.onRequest({ verb: call.verb, resource: call.resource, code, seconds });
    }
  }
}

function writeQuery({ fieldManager, dryRun }: WriteOptions): Record<string, string | undefined> {
  return { fieldManager, dryRun: dryRun === true ? 'All' : undefined };
}

function assertOpen(gate: WriteGate): void {
  if (gate.signal.aborted || !gate.fence()) throw new WritesEnded();
}
