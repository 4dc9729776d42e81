import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { brotliDecompressSync, brotliCompressSync, gzipSync, gunzipSync } from 'node:zlib';
import { startGateway, type RunningGateway } from '../../../test/support/gateway.ts';
import { readPage } from './page.ts';

const HTML = '<!doctype html><script type="module" src="/assets/app-1.js"></script>';

let folder: string;
let gateway: RunningGateway;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'infer-page-'));
  const write = (name: string, text: string): void => {
    writeFileSync(join(folder, name), text);
    writeFileSync(join(folder, `${name}.gz`), gzipSync(text));
    writeFileSync(join(folder, `${name}.br`), brotliCompressSync(text));
  };
  write('index.html', HTML);
  write('app-1.js', 'script');
  writeFileSync(join(folder, 'style-1.css'), 'style');
  const page = readPage(folder);
  gateway = await startGateway([], {}, page === undefined ? {} : { page });
});

afterAll(async () => {
  await gateway.close();
  rmSync(folder, { recursive: true });
});

test('a folder that was never built is no page', () => {
  expect(readPage(join(folder, 'nothing'))).toBeUndefined();
});

test('without a page its address is not found, in the usual shape', async () => {
  const bare = await startGateway([]);
  const response = await fetch(`${bare.url}/`);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ error: { code: 'unknown_url' } });
  await bare.close();
});

test.each([
  ['/', 'text/html; charset=utf-8', HTML, 'no-cache'],
  ['/assets/app-1.js', 'text/javascript; charset=utf-8', 'script', 'public, max-age=31536000, immutable'],
  ['/assets/style-1.css', 'text/css; charset=utf-8', 'style', 'public, max-age=31536000, immutable'],
])('%s needs no key, and has its type, its caching and what keeps it safe', async (path, type, content, caching) => {
  const response = await fetch(gateway.url + path);
  expect(response.status).toBe(200);
  expect(await response.text()).toBe(content);
  const headers = Object.fromEntries(response.headers);
  expect(headers).toMatchObject({
    'content-type': type,
    'cache-control': caching,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    vary: 'accept-encoding',
  });
  expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(headers['content-security-policy']).not.toContain('unsafe');
});

test.each([
  '/assets/index.html',
  '/assets/app-1.js.br',
  '/assets/other.js',
  '/assets/..%2fapp-1.js',
  '/assets/',
  '/index.html',
])('%s is not here', async (path) => {
  const response = await fetch(gateway.url + path);
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ error: { code: 'unknown_url' } });
});

/** Without the client that undoes compression by itself. */
async function encoded(accept: string): Promise<{ encoding: string | null; text: string }> {
  const { request } = await import('undici');
  const { headers, body } = await request(`${gateway.url}/assets/app-1.js`, { headers: { 'accept-encoding': accept } });
  const bytes = Buffer.from(await body.arrayBuffer());
  expect(headers['content-length']).toBe(String(bytes.length));
  const encoding = headers['content-encoding'] === undefined ? null : String(headers['content-encoding']);
  const decode = { br: brotliDecompressSync, gzip: gunzipSync }[encoding ?? ''] ?? ((all: Buffer) => all);
  return { encoding, text: decode(bytes).toString() };
}

test.each([
  ['gzip, deflate, br', 'br'],
  ['GZIP', 'gzip'],
  ['br;q=0, gzip;q=0.5', 'gzip'],
  ['deflate', null],
  ['', null],
])('who accepts %p gets %p', async (accept, encoding) => {
  expect(await encoded(accept)).toEqual({ encoding, text: 'script' });
});

test('what is known already is not sent again, and another encoding is another thing', async () => {
  const plain = { 'accept-encoding': 'identity' };
  const etag = (await fetch(`${gateway.url}/`, { headers: plain })).headers.get('etag') ?? '';
  const again = await fetch(`${gateway.url}/`, { headers: { ...plain, 'if-none-match': `"x", ${etag}` } });
  expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag]);
  const other = await fetch(`${gateway.url}/`, { headers: { 'accept-encoding': 'br', 'if-none-match': etag } });
  expect(other.status).toBe(200);
});

test('HEAD is GET without its body', async () => {
  const headers = { 'accept-encoding': 'identity' };
  const response = await fetch(`${gateway.url}/`, { method: 'HEAD', headers });
  expect(response.status).toBe(200);
  expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(HTML)));
  expect(await response.text()).toBe('');
});
