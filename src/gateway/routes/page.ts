/** GET / and GET /assets/NAME: the web page, as `node build.ts` made it. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { unknownUrl } from '../errors.ts';

type Encoding = 'br' | 'gzip';

const SUFFIXES: Readonly<Record<Encoding, string>> = { br: '.br', gzip: '.gz' };

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

interface PageFile {
  readonly type: string;
  readonly content: Buffer;
  readonly compressed: Readonly<Partial<Record<Encoding, Buffer>>>;
  /** Without quotes; of the content before compression. */
  readonly hash: string;
}

/** The files of the page by their names. */
export type Page = ReadonlyMap<string, PageFile>;

const INDEX = 'index.html';

/** Nothing from elsewhere, nothing inline, in no frame; forms are sent by the script. */
const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** Returns the page in `folder`; undefined where it was not built, as when the gateway runs from its sources. */
export function readPage(folder: string): Page | undefined {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  const files = names.flatMap((name): [string, PageFile][] => {
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
    if (type === undefined) return [];
    const content = read(name);
    const hash = createHash('sha256').update(content).digest('base64url').slice(0, 16);
    return [[name, { type, content, hash, compressed: readCompressed(name, names, read) }]];
  });
  return new Map(files);
}

function readCompressed(name: string, names: readonly string[], read: (name: string) => Buffer) {
  const encodings = (['br', 'gzip'] as const).filter((encoding) => names.includes(name + SUFFIXES[encoding]));
  return Object.fromEntries(encodings.map((encoding) => [encoding, read(name + SUFFIXES[encoding])]));
}

/** Adds the routes of the page. */
export function addPageRoutes(app: FastifyInstance, page: Page): void {
  const method = ['GET', 'HEAD'];
  app.route({
    method,
    url: '/',
    // Asked for each time, since it names the assets of this release.
    handler: (request, reply) => send(page.get(INDEX), 'no-cache', request, reply),
  });
  app.route<{ Params: { name: string } }>({
    method,
    url: '/assets/:name',
    handler: (request, reply) => {
      const { name } = request.params;
      const file = name === INDEX ? undefined : page.get(name);
      return send(file, 'public, max-age=31536000, immutable', request, reply);
    },
  });
}

function send(file: PageFile | undefined, cacheControl: string, request: FastifyRequest, reply: FastifyReply) {
  request.context.route = 'page';
  if (file === undefined) throw unknownUrl(request.method, request.url);
  const { type, hash, compressed } = file;
  const encoding = accepted(request.headers['accept-encoding'], compressed);
  const content = encoding === undefined ? file.content : (compressed[encoding] ?? file.content);
  const etag = `"${encoding === undefined ? hash : `${hash}-${encoding}`}"`;
  void reply.headers({ ...SECURITY_HEADERS, 'cache-control': cacheControl, vary: 'accept-encoding', etag });
  if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag) === true) return reply.code(304).send();
  void reply.type(type).header('content-length', content.length);
  if (encoding !== undefined) void reply.header('content-encoding', encoding);
  return reply.send(request.method === 'HEAD' ? null : content);
}

/** Returns the smallest of the encodings that the client takes: `br;q=0` is one that it does not. */
function accepted(header: string | string[] | undefined, compressed: PageFile['compressed']): Encoding | undefined {
  const offered = String(header ?? '')
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => !/;\s*q=0(\.0*)?$/.test(one))
    .map((one) => one.split(';', 1)[0]);
  return (['br', 'gzip'] as const).find((encoding) => encoding in compressed && offered.includes(encoding));
}
