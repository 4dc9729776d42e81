import { EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import { DownloadFailure, TemporaryError } from './failure.ts';
import type { RepositoryFile, RepositoryKind } from './files.ts';
import { refusal } from './refusal.ts';
import { repositoryInfo, type RepositoryInfo } from './repository-info.ts';

export interface HubOptions {
  /** Origin and path prefix of the hub or a mirror of it. */
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly model: string;
  readonly kind: RepositoryKind;
  /** No byte for so long, in milliseconds, means that the connection is dead. */
  readonly silenceMs?: number | undefined;
}

/** Bytes of a file from `start` on; the whole file where the server does not do ranges. */
export interface OpenFile {
  readonly start: number;
  readonly body: AsyncIterable<Buffer>;
}

const MAX_REDIRECTS = 5;
const MAX_JSON_BYTES = 16 * 1024 * 1024;
const MAX_PAGES = 200;
const MAX_ENTRIES = 50_000;
const COMMIT = /^[0-9a-f]{40}$/;

const SILENCE_MS = 60_000;

/**
 * The few routes of the Hugging Face hub that a download needs. The token goes to the endpoint's own origin alone:
 * redirects lead to object stores, which would log it.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #endpoint: URL;
  readonly #dispatcher: Dispatcher;

  /** @throws DownloadFailure InvalidSettings for an endpoint that is no plain http or https URL. */
  constructor(options: HubOptions) {
    this.#options = options;
    this.#endpoint = endpointUrl(options.endpoint);
    // Proxies come from HTTPS_PROXY and NO_PROXY.
    const silenceMs = options.silenceMs ?? SILENCE_MS;
    const connect = { timeout: Math.min(10_000, silenceMs) };
    this.#dispatcher = new EnvHttpProxyAgent({ headersTimeout: silenceMs, bodyTimeout: silenceMs, connect });
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  /** The commit that a branch, tag or commit names now. */
  async resolve(revision: string, signal: AbortSignal): Promise<string> {
    return (await this.info(revision, signal)).commit;
  }

  /** What the hub says of the repository at a branch, tag or commit. */
  async info(revision: string, signal: AbortSignal): Promise<RepositoryInfo> {
    const path = `/api/models/${this.#options.model}/revision/${encodeURIComponent(revision)}`;
    const { body } = await this.#json(new URL(this.#href(path)), signal);
    const info = repositoryInfo(body);
    if (info !== undefined) return info;
    throw new TemporaryError(`${this.#endpoint.host} named no commit for the model, so it may be no hub`);
  }

  /** All files at a commit. */
  async list(commit: string, signal: AbortSignal): Promise<RepositoryFile[]> {
    const files: RepositoryFile[] = [];
    let url: URL | undefined = new URL(this.#href(`/api/models/${this.#options.model}/tree/${commit}?recursive=true`));
    for (let page = 0; url !== undefined; page += 1) {
      const { body, next }: { body: unknown; next: URL | undefined } = await this.#json(url, signal);
      if (!Array.isArray(body)) throw new TemporaryError(`${this.#endpoint.host} sent no file list`);
      for (const entry of body as unknown[]) {
        const file = repositoryFile(entry);
        if (file !== undefined) files.push(file);
      }
      if (page >= MAX_PAGES || files.length > MAX_ENTRIES) {
        throw new DownloadFailure(
          'ModelRefused',
          `The ${this.#options.kind} ${this.#options.model} has too many files to list.`,
        );
      }
      url = next;
    }
    return files;
  }

  /** Opens a file at a commit from byte `start` on. */
  async open(commit: string, file: RepositoryFile, start: number, signal: AbortSignal): Promise<OpenFile> {
    const path = file.path.split('/').map(encodeURIComponent).join('/');
    const url = new URL(this.#href(`/${this.#options.model}/resolve/${commit}/${path}`));
    const response = await this.#get(url, signal, start > 0 ? { range: `bytes=${start}-` } : {});
    if (response.statusCode !== 206) return { start: 0, body: response.body };
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(text(response.headers['content-range'])) ?? [];
    if (Number(first) !== start || Number(total) !== file.size) {
      await response.body.dump();
      throw new TemporaryError(`the server sent another part of ${file.path} than the one asked for`);
    }
    return { start, body: response.body };
  }

  #href(path: string): string {
    return this.#endpoint.href.replace(/\/$/, '') + path;
  }

  async #json(url: URL, signal: AbortSignal): Promise<{ body: unknown; next: URL | undefined }> {
    const response = await this.#get(url, signal, { accept: 'application/json' });
    const body = await readJson(response.body, url.host);
    const [, next] = /<([^>]+)>;\s*rel="next"/.exec(text(response.headers['link'])) ?? [];
    return { body, next: next === undefined ? undefined : this.#sameOrigin(new URL(next, url)) };
  }

  /** A mirror behind a TLS terminator names the next page with its inner address: keep to the endpoint's. */
  #sameOrigin(url: URL): URL {
    return new URL(url.pathname + url.search, this.#endpoint);
  }

  async #get(start: URL, signal: AbortSignal, headers: Record<string, string>): Promise<Dispatcher.ResponseData> {
    let url = start;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const response = await this.#send(url, signal, headers);
      const { statusCode } = response;
      if (statusCode === 200 || statusCode === 206) return response;
      await response.body.dump();
      if (statusCode < 300 || statusCode >= 400) {
        const { model, kind, token } = this.#options;
        throw refusal({ status: statusCode, header: (name) => text(response.headers[name]) }, url, {
          model,
          kind,
          endpoint: this.#endpoint,
          withToken: token !== undefined,
        });
      }
      const next = new URL(text(response.headers['location']), url);
      if (next.protocol !== 'https:' && next.protocol !== url.protocol) {
        throw new DownloadFailure(
          'HubUnreachable',
          `${url.host} redirects from https to ${next.protocol}//${next.host}.`,
        );
      }
      url = next;
    }
    throw new DownloadFailure('HubUnreachable', `${start.host} redirects more than ${MAX_REDIRECTS} times.`);
  }

  async #send(url: URL, signal: AbortSignal, headers: Record<string, string>): Promise<Dispatcher.ResponseData> {
    const { token } = this.#options;
    const trusted = url.origin === this.#endpoint.origin;
    try {
      return await request(url, {
        dispatcher: this.#dispatcher,
        signal,
        headers: {
          ...headers,
          'user-agent': 'infer',
          // A compressed answer would have another length than the file.
          'accept-encoding': 'identity',
          ...(token !== undefined && trusted ? { authorization: `Bearer ${token}` } : {}),
        },
      });
    } catch (error) {
      if (signal.aborted) throw error;
      throw connectionError(error, url.host);
    }
  }
}

function endpointUrl(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const good =
    (url?.protocol === 'https:' || url?.protocol === 'http:') &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === '';
  if (url !== undefined && good) return url;
  // The value is not shown: it may hold a password.
  throw new DownloadFailure(
    'InvalidSettings',
    'HF_ENDPOINT must be an http or https URL without user, query or fragment.',
  );
}

/** Network errors in words; a refused or silent host may be back in a moment. */
export function connectionError(error: unknown, host: string): TemporaryError {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return new TemporaryError(`${host} cannot be reached${code === undefined ? '' : ` (${code})`}`, undefined, {
    cause: error,
  });
}

async function readJson(body: AsyncIterable<Buffer>, host: string): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of body) {
      size += part.length;
      if (size > MAX_JSON_BYTES) throw new DownloadFailure('ModelRefused', `${host} sent a list that is too long.`);
      parts.push(part);
    }
    return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown;
  } catch (error) {
    if (error instanceof DownloadFailure) throw error;
    if (error instanceof SyntaxError)
      throw new TemporaryError(`${host} sent no valid JSON`, undefined, { cause: error });
    throw connectionError(error, host);
  }
}

/** A file of the tree listing; undefined for directories. An entry of another form is no hub's. */
function repositoryFile(entry: unknown): RepositoryFile | undefined {
  const { type, path, size, oid, lfs } = (entry ?? {}) as Record<string, unknown>;
  if (type === 'directory') return undefined;
  const large = lfs as { oid?: unknown; size?: unknown } | null | undefined;
  const hex = large?.oid ?? oid;
  const bytes = large?.size ?? size;
  const pattern = large === undefined || large === null ? COMMIT : /^[0-9a-f]{64}$/;
  if (typeof path !== 'string' || typeof hex !== 'string' || !pattern.test(hex) || !isSize(bytes)) {
    throw new TemporaryError('the file list has an entry that is not understood');
  }
  return { path, size: bytes, digest: { algorithm: pattern === COMMIT ? 'git' : 'sha256', hex } };
}

function isSize(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function text(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header) ?? '';
}
