/** HTTP to a gateway, with a key. */
import type { Readable } from 'node:stream';
import { Agent, type Dispatcher } from 'undici';
import { failureOf, GatewayUnreachable } from './failures.ts';

export interface GatewayRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, with what the headers say of it. */
  readonly body?: Readable;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** For a gateway to begin an answer: it holds a request until a replica is there, and cuts nothing that is under way. */
const HEADERS_TIMEOUT_MS = 15 * 60_000;
/** Between two pieces of an answer. Heartbeats come every 10 s. */
const BODY_TIMEOUT_MS = 5 * 60_000;

export class GatewayClient {
  /** Such as https://infer.example.com/v1, without a slash at the end. */
  readonly baseUrl: string;
  readonly #key: string;
  readonly #reason: () => unknown;
  readonly #agent = new Agent({
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: BODY_TIMEOUT_MS,
    connect: { timeout: 10_000 },
  });

  /** `reason` says why there was no connection, where something on the way there knows. */
  constructor(baseUrl: string, key: string, reason: () => unknown = () => undefined) {
    this.baseUrl = baseUrl;
    this.#key = key;
    this.#reason = reason;
  }

  /** Returns the JSON of an answer. Throws ApiFailure and GatewayUnreachable, and the signal's reason after an abort. */
  async json<T>(path: string, request: GatewayRequest = {}): Promise<T> {
    const { body } = await this.send(path, request);
    return await this.#orUnreachable(async () => (await body.json()) as T, request.signal);
  }

  /** Returns an answer whose body is still to be read. Throws as json(). */
  async send(path: string, request: GatewayRequest = {}): Promise<Dispatcher.ResponseData> {
    const { method = 'GET', query = {}, json, body, headers, signal } = request;
    const url = new URL(this.baseUrl + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    return await this.#orUnreachable(async () => {
      const response = await this.#agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers: {
          authorization: `Bearer ${this.#key}`,
          ...(json !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: json === undefined ? (body ?? null) : JSON.stringify(json),
        ...(signal && { signal }),
      });
      if (response.statusCode < 300) return response;
      throw failureOf(response.statusCode, response.headers, await response.body.text());
    }, signal);
  }

  /** Returns why a connection broke: what something on the way there knows, else `error`. */
  reasonOf(error: unknown): unknown {
    return this.#reason() ?? error;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #orUnreachable<T>(run: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await run();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof Error && error.name === 'ApiFailure') throw error;
      throw new GatewayUnreachable(`The gateway at ${this.baseUrl} gave no answer`, {
        cause: this.reasonOf(error),
      });
    }
  }
}
