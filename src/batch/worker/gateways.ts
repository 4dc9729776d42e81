/** The gateways as the worker reaches them: by the addresses of their Service, on their internal port. */
import { lookup } from 'node:dns/promises';
import type { Dispatcher } from 'undici';
import { channelOrigin } from '../../channel/http-client.ts';
import { describeError } from '../../kube/errors.ts';
import type { Logger } from '../../kube/types.ts';
import { GatewaysUnavailable, KeyRefused } from '../gateway.ts';
import type { Answer, BatchGateways, DeploymentLoad, DeploymentName, OnBehalf } from '../gateway.ts';
import { sumLoad } from './gateway-load.ts';
import type { GatewayLoad } from './gateway-load.ts';

export interface GatewaysOptions {
  /** Makes the connections; whoever it connects to is a gateway. */
  readonly dispatcher: Dispatcher;
  /** The same for questions of the worker's own, which must not wait behind requests. */
  readonly questions: Dispatcher;
  /** The headless Service of the gateways' internal port. */
  readonly address: { readonly host: string; readonly port: number };
  readonly logger: Logger;
  /** Returns the addresses of a host. */
  readonly resolveHost?: (host: string) => Promise<string[]>;
}

interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

const ADDRESSES_MS = 5000;
/** A gateway that failed is not sent to for so long, while there are others. */
const REST_MS = 5000;
const QUESTION_TIMEOUT_MS = 3000;
/** More than any gateway takes for one request: what is silent for longer is gone without a word. */
const ANSWER_TIMEOUT_MS = 2 * 3_600_000;
const MOST_ANSWER_BYTES = 16 * 1024 * 1024;

export class HttpGateways implements BatchGateways {
  readonly #options: GatewaysOptions;
  #origins: readonly string[] = [];
  #lookedUpAtMs = Number.NEGATIVE_INFINITY;
  #lookingUp: Promise<void> | undefined;
  readonly #restUntilMs = new Map<string, number>();
  #turn = 0;

  constructor(options: GatewaysOptions) {
    this.#options = options;
  }

  async resolve(onBehalf: OnBehalf, model: string, signal: AbortSignal): Promise<DeploymentName | undefined> {
    const path = `/internal/models/${model.split('/').map(encode).join('/')}`;
    for (const origin of await this.#inTurn()) {
      const response = await this.#ask(origin, path, signal, headersOf(onBehalf));
      if (response === undefined) continue;
      if (response.status === 200) return JSON.parse(response.body.toString('utf8')) as DeploymentName;
      if (response.status === 401 || response.status === 403) {
        throw new KeyRefused(`a gateway refused the APIKey ${onBehalf.namespace}/${onBehalf.key}`);
      }
      if (isRefusal(response.status)) return undefined;
    }
    throw new GatewaysUnavailable(`no gateway of ${this.#options.address.host} answered`);
  }

  async send(onBehalf: OnBehalf, path: string, body: Buffer, signal: AbortSignal): Promise<Answer> {
    const [origin] = await this.#inTurn();
    if (origin === undefined) throw new GatewaysUnavailable(`${this.#options.address.host} has no address`);
    const response = await this.#request(this.#options.dispatcher, origin, {
      method: 'POST',
      path,
      body,
      headers: { ...headersOf(onBehalf), 'content-type': 'application/json' },
      signal,
      headersTimeout: ANSWER_TIMEOUT_MS,
      bodyTimeout: ANSWER_TIMEOUT_MS,
    });
    const requestId = response.headers['x-request-id'];
    return {
      status: response.status,
      requestId: typeof requestId === 'string' ? requestId : '',
      body: response.body,
      retryAfterSeconds: retryAfterSeconds(response.headers['retry-after']),
    };
  }

  async load({ namespace, name }: DeploymentName, signal: AbortSignal): Promise<DeploymentLoad> {
    const path = `/internal/load/${encode(namespace)}/${encode(name)}`;
    await this.#lookUp();
    const answers = await Promise.all(
      this.#origins.map(async (origin): Promise<GatewayLoad | 'none' | undefined> => {
        const response = await this.#ask(origin, path, signal, {});
        // It knows of no such deployment yet, or any more, and so carries nothing of it.
        if (response?.status === 404) return 'none';
        return response?.status === 200 ? (JSON.parse(response.body.toString('utf8')) as GatewayLoad) : undefined;
      }),
    );
    const answered = answers.filter((answer) => answer !== undefined);
    if (answered.length === 0) throw new GatewaysUnavailable(`no gateway of ${this.#options.address.host} answered`);
    return sumLoad(
      answered.filter((answer) => answer !== 'none'),
      answered.length < answers.length,
    );
  }

  /** Returns the gateways, the next one first; those that failed lately are last. */
  async #inTurn(): Promise<string[]> {
    await this.#lookUp();
    const origins = this.#origins;
    this.#turn += 1;
    const start = this.#turn % Math.max(1, origins.length);
    const rotated = [...origins.slice(start), ...origins.slice(0, start)];
    const now = performance.now();
    const rests = (origin: string): boolean => (this.#restUntilMs.get(origin) ?? 0) > now;
    return [...rotated.filter((origin) => !rests(origin)), ...rotated.filter(rests)];
  }

  async #lookUp(): Promise<void> {
    if (performance.now() - this.#lookedUpAtMs < ADDRESSES_MS) return;
    this.#lookingUp ??= this.#readAddresses().finally(() => {
      this.#lookingUp = undefined;
    });
    await this.#lookingUp;
  }

  async #readAddresses(): Promise<void> {
    const { address, resolveHost = lookupAll, logger } = this.#options;
    try {
      const addresses = await resolveHost(address.host);
      this.#origins = addresses.map((ip) => channelOrigin(ip, address.port)).sort();
      for (const origin of this.#restUntilMs.keys()) {
        if (!this.#origins.includes(origin)) this.#restUntilMs.delete(origin);
      }
    } catch (error) {
      // Those known before may still be there.
      logger.warn({ host: address.host, error: describeError(error) }, 'the gateways could not be looked up');
    }
    this.#lookedUpAtMs = performance.now();
  }

  /** Returns the answer to a question that is answered at once; undefined where there is none. */
  async #ask(
    origin: string,
    path: string,
    signal: AbortSignal,
    headers: Record<string, string>,
  ): Promise<Response | undefined> {
    const inTime = AbortSignal.any([signal, AbortSignal.timeout(QUESTION_TIMEOUT_MS)]);
    try {
      return await this.#request(this.#options.questions, origin, { method: 'GET', path, headers, signal: inTime });
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof GatewaysUnavailable || inTime.aborted) return undefined;
      throw error;
    }
  }

  /** Throws GatewaysUnavailable where no whole answer came, and the reason of the request's signal after an abort. */
  async #request(
    dispatcher: Dispatcher,
    origin: string,
    options: Omit<Dispatcher.RequestOptions, 'origin' | 'signal'> & { signal: AbortSignal },
  ): Promise<Response> {
    const { logger } = this.#options;
    options.signal.throwIfAborted();
    try {
      const { statusCode, headers, body } = await dispatcher.request({ ...options, origin });
      const pieces: Buffer[] = [];
      let bytes = 0;
      for await (const piece of body as AsyncIterable<Buffer>) {
        bytes += piece.length;
        if (bytes > MOST_ANSWER_BYTES) return { status: 500, headers, body: answerTooLarge() };
        pieces.push(piece);
      }
      this.#restUntilMs.delete(origin);
      return { status: statusCode, headers, body: Buffer.concat(pieces) };
    } catch (error) {
      options.signal.throwIfAborted();
      this.#restUntilMs.set(origin, performance.now() + REST_MS);
      logger.info({ gateway: origin, error: describeError(error) }, 'a gateway did not answer');
      throw new GatewaysUnavailable(`the gateway ${origin} did not answer`, { cause: error });
    }
  }
}

async function lookupAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function headersOf({ namespace, key }: OnBehalf): Record<string, string> {
  return { 'x-infer-namespace': namespace, 'x-infer-key': key };
}

/** Names come from input files, and may hold halves of characters. */
function encode(name: string): string {
  return encodeURIComponent(name.toWellFormed());
}

function retryAfterSeconds(header: string | string[] | undefined): number | undefined {
  const seconds = typeof header === 'string' ? Number(header) : Number.NaN;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}

function answerTooLarge(): Buffer {
  const message = `The answer has more than the ${MOST_ANSWER_BYTES} bytes that a batch takes of one.`;
  return Buffer.from(
    JSON.stringify({ error: { message, type: 'server_error', param: null, code: 'answer_too_large' } }),
  );
}

/** Whether an answer stands however often it is asked for; such as 404, or 431 for a name that is too long to be one. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
