/** Gateways in this process over APIKeys and InferenceDeployments that a test puts there, with what shows them. */
import { randomBytes } from 'node:crypto';
import type { APIKey, APIKeySpec } from '../../src/api/generated/api-key.ts';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import { createAuthenticator } from '../../src/gateway/auth/authenticator.ts';
import { createKey } from '../../src/gateway/auth/key.ts';
import { DEPLOYMENT_INDEXES } from '../../src/gateway/caches.ts';
import type { GatewayLimits } from '../../src/gateway/limits.ts';
import type { BatchUpstream } from '../../src/gateway/proxy/batch-process.ts';
import type { Page } from '../../src/gateway/routes/page.ts';
import { SharedKeys } from '../../src/gateway/session/shared-keys.ts';
import { Sessions } from '../../src/gateway/session/sessions.ts';
import { LiveFeed } from '../../src/gateway/view/live-feed.ts';
import { startGateway, type FakeDeployment, type RunningGateway } from './gateway.ts';
import { MemoryInformer } from './memory-informer.ts';

export interface ViewGateway extends RunningGateway {
  readonly live: LiveFeed;
  readonly sealing: SharedKeys;
}

export class ViewBed {
  readonly apiKeys = new MemoryInformer<APIKey>({ keyId: ({ spec }) => [spec.keyId] });
  readonly inferenceDeployments = new MemoryInformer<InferenceDeployment>(DEPLOYMENT_INDEXES);
  readonly #gateways: ViewGateway[] = [];

  /** Makes a key, or another secret for the one of this name; returns it. */
  addKey(name: string, spec: Partial<APIKeySpec> = {}, namespace = 'team-a'): string {
    const { key, keyId, hash } = createKey({ namespace, name, keyId: `keyof${name}`.padEnd(8, '0'), randomBytes });
    this.apiKeys.put({ metadata: { namespace, name }, spec: { keyId, hash, scopes: ['view'], ...spec } });
    return key;
  }

  /** Changes the spec of a key. */
  changeKey(name: string, spec: Partial<APIKeySpec>, namespace = 'team-a'): void {
    const resource = this.apiKeys.get({ namespace, name });
    if (resource === undefined) throw new Error(`There is no key ${name}.`);
    this.apiKeys.put({ ...resource, spec: { ...resource.spec, ...spec } });
  }

  /** Starts a gateway over these resources; it forwards requests to `served`. */
  async start(
    limits: Partial<GatewayLimits> = {},
    served: readonly FakeDeployment[] = [],
    batch?: BatchUpstream,
    page?: Page,
  ): Promise<ViewGateway> {
    const live = new LiveFeed();
    // An operator has led for a minute.
    let agoMs = 60_000;
    const sealing = new SharedKeys(() => Date.now() - agoMs);
    sealing.leaders = 1;
    agoMs = 0;
    const gateway = await startGateway(served, limits, {
      authenticator: createAuthenticator((keyId) => this.apiKeys.byIndex('keyId', keyId)),
      sessions: new Sessions(sealing, this.apiKeys),
      view: { caches: this, live },
      ...(batch && { batch }),
      ...(page && { page }),
    });
    const started = { ...gateway, live, sealing };
    this.#gateways.push(started);
    return started;
  }

  /** Ends all gateways. */
  async close(): Promise<void> {
    await Promise.all(this.#gateways.map((gateway) => gateway.close()));
  }
}

export interface ReceivedEvent {
  readonly name: string;
  readonly data: unknown;
}

/** A stream of events as it comes. */
export class EventStream {
  readonly status: number;
  readonly events: ReceivedEvent[] = [];
  comments = 0;
  ended = false;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.status = response.status;
    this.#abort = abort;
    void this.#read(response);
  }

  /** Opens the stream; resolves with its head. */
  static async open(url: string, headers: Record<string, string>): Promise<EventStream> {
    const abort = new AbortController();
    return new EventStream(await fetch(url, { headers, signal: abort.signal }), abort);
  }

  /** Returns the data of all events of this name so far. */
  of(name: string): unknown[] {
    return this.events.filter((event) => event.name === name).map(({ data }) => data);
  }

  close(): void {
    this.#abort.abort();
  }

  async #read(response: Response): Promise<void> {
    let text = '';
    try {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        const parts = (text + chunk).split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) this.#take(part);
      }
    } catch {
      // It was cut.
    }
    this.ended = true;
  }

  #take(part: string): void {
    if (part.startsWith(':')) {
      this.comments += 1;
      return;
    }
    const [, name = '', data = ''] = /^event: (\w+)\ndata: ([^\n]*)$/.exec(part) ?? [];
    this.events.push({ name, data: JSON.parse(data) as unknown });
  }
}
