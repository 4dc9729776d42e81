/** A gateway as the page sees it, whose deployments and failures a test makes as it needs them. */
import type { AddressInfo } from 'node:net';
import type { ServerResponse } from 'node:http';
import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createApp } from '../../src/gateway/app.ts';
import { invalidApiKey, missingScope, modelNotFound } from '../../src/gateway/errors.ts';
import { DEFAULT_LIMITS } from '../../src/gateway/limits.ts';
import { GatewayMetrics } from '../../src/gateway/metrics.ts';
import { observe } from '../../src/gateway/routes/observe.ts';
import { addPageRoutes, type Page } from '../../src/gateway/routes/page.ts';
import type { DeploymentEvents, Detail, Live } from '../../src/gateway/view/shapes.ts';
import { summaryOf } from './deployments.ts';

/** Keys, and the scopes of each. */
export const KEYS: Readonly<Record<string, readonly string[]>> = {
  'sk-admin': ['view', 'inference', 'admin'],
  'sk-view': ['view'],
  'sk-inference': ['inference'],
};

type ChatHandler = (response: ServerResponse, body: { model: string; messages: unknown[] }) => void;

interface Follower {
  readonly response: ServerResponse;
  readonly id: string | undefined;
}

export class StandIn {
  readonly deployments = new Map<string, Detail>();
  /** By id. */
  readonly history = new Map<string, readonly Live[]>();
  /** How a chat is answered. */
  chat: ChatHandler = (response) => response.writeHead(500).end();
  /** What was asked of the chat. */
  readonly asked: { model: string; messages: unknown[] }[] = [];
  /** Keys whose sessions are over. */
  readonly revoked = new Set<string>();
  readonly #page: Page;
  readonly #followers = new Set<Follower>();
  #app: FastifyInstance | undefined;
  #port = 0;

  constructor(page: Page) {
    this.#page = page;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** How many streams of events are open. */
  get followers(): number {
    return this.#followers.size;
  }

  /** Listens; after stop() again at the same port. */
  async start(): Promise<void> {
    const app = createApp({ limits: DEFAULT_LIMITS, onError: console.error });
    observe(app, new GatewayMetrics(new Registry()), pino({ level: 'silent' }), 'online');
    addPageRoutes(app, this.#page);
    this.#addSession(app);
    app.get('/v1/deployments/events', (request, reply) => this.#follow(request, reply));
    app.post('/v1/chat/completions', (request, reply) => {
      this.#scopes(request);
      const body = JSON.parse(String(request.body)) as { model: string; messages: unknown[] };
      this.asked.push(body);
      reply.hijack();
      this.chat(reply.raw, body);
    });
    await app.listen({ port: this.#port, host: '127.0.0.1' });
    this.#port = (app.server.address() as AddressInfo).port;
    this.#app = app;
  }

  /** Goes away and cuts every connection. */
  async stop(): Promise<void> {
    const closed = this.#app?.close();
    this.#app?.server.closeAllConnections();
    await closed;
    this.#followers.clear();
  }

  /** Forgets what a test set. */
  reset(): void {
    this.deployments.clear();
    this.history.clear();
    this.asked.length = 0;
    this.revoked.clear();
    this.chat = (response) => response.writeHead(500).end();
  }

  /** Cuts the streams of events. */
  cut(): void {
    for (const { response } of this.#followers) response.destroy();
  }

  /** Adds deployments or changes them, and tells who follows. */
  set(...details: readonly Detail[]): void {
    for (const one of details) this.deployments.set(one.id, one);
    this.tell('changed', { data: details.map(summaryOf) });
    for (const one of details) this.tell('detail', one, one.id);
  }

  remove(id: string): void {
    this.deployments.delete(id);
    this.tell('removed', { ids: [id] });
  }

  sample(id: string, sample: Live): void {
    this.tell('sample', { id, sample }, id);
  }

  /** Sends an event to all that follow, or to those that follow `id`. */
  tell<Name extends keyof DeploymentEvents>(name: Name, data: DeploymentEvents[Name], id?: string): void {
    const text = frame(name, data);
    for (const follower of this.#followers) if (id === undefined || follower.id === id) follower.response.write(text);
  }

  #addSession(app: FastifyInstance): void {
    app.post('/session', (request, reply) => {
      const { key } = JSON.parse(String(request.body)) as { key: string };
      const scopes = KEYS[key];
      if (request.headers['x-infer-page'] !== '1' || scopes === undefined) throw invalidApiKey(true);
      if (!scopes.includes('view')) throw missingScope('view');
      return reply.header('set-cookie', `infer_session=${key}; Path=/; HttpOnly; SameSite=Strict`).code(204).send();
    });
    app.delete('/session', (_, reply) =>
      reply.header('set-cookie', 'infer_session=; Path=/; Max-Age=0').code(204).send(),
    );
    app.get('/session', (request) => ({ namespace: 'default', name: 'laptop', scopes: this.#scopes(request) }));
  }

  #scopes(request: FastifyRequest): readonly string[] {
    const key = /infer_session=([^;]*)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    const scopes = KEYS[key];
    if (request.headers['x-infer-page'] !== '1' || scopes === undefined || this.revoked.has(key)) {
      throw invalidApiKey(key !== '');
    }
    return scopes;
  }

  #follow(request: FastifyRequest, reply: FastifyReply): void {
    this.#scopes(request);
    const { id } = request.query as { id?: string };
    const watched = id === undefined ? undefined : this.deployments.get(id);
    if (id !== undefined && watched === undefined) throw modelNotFound(id);
    reply.hijack();
    const { raw: response } = reply;
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(frame('list', { data: [...this.deployments.values()].map(summaryOf) }));
    if (watched !== undefined) {
      response.write(frame('detail', watched));
      response.write(frame('history', { id: watched.id, samples: [...(this.history.get(watched.id) ?? [])] }));
    }
    const follower = { response, id };
    this.#followers.add(follower);
    response.once('close', () => this.#followers.delete(follower));
  }
}

function frame<Name extends keyof DeploymentEvents>(name: Name, data: DeploymentEvents[Name]): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
