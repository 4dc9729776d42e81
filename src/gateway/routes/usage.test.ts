/** GET /usage through a gateway to a stand-in for the batch process. */
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Agent } from 'undici';
import { KEY, startGateway, VIEW_KEY, type RunningGateway } from '../../../test/support/gateway.ts';
import { ViewBed } from '../../../test/support/view-bed.ts';

let upstream: Server;
let gateway: RunningGateway | undefined;
let asked: { url: string | undefined; headers: IncomingHttpHeaders }[];

beforeEach(async () => {
  asked = [];
  upstream = createServer(({ url, headers }, response) => {
    asked.push({ url, headers });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"object":"list","data":[]}');
  });
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  await gateway?.close();
  upstream.close();
  upstream.closeAllConnections();
});

async function start(): Promise<void> {
  const { port } = upstream.address() as AddressInfo;
  gateway = await startGateway([], {}, { batch: { dispatcher: new Agent(), origin: `http://127.0.0.1:${port}` } });
}

function ask(path: string, key = VIEW_KEY): Promise<Response> {
  return fetch(`${gateway?.url}${path}`, { headers: { authorization: `Bearer ${key}` } });
}

test.each(['/v1', '/api/v2/external/v1', '/api/v2/external'])(
  'is asked for a key that may view, under %s',
  async (base) => {
    await start();
    const response = await ask(`${base}/usage?start=1&group_by=key`);
    expect(await response.json()).toEqual({ object: 'list', data: [] });
    expect(asked).toMatchObject([
      { url: '/v1/usage?start=1&group_by=key', headers: { 'x-infer-namespace': 'default', 'x-infer-key': 'view' } },
    ]);
    expect(asked[0]?.headers).not.toHaveProperty('authorization');
  },
);

test('is not for other keys, and nobody can tell what was used', async () => {
  await start();
  expect((await ask('/v1/usage', KEY)).status).toBe(403);
  expect((await ask('/v1/usage', 'nobody')).status).toBe(401);
  const report = await fetch(`${gateway?.url}/internal/usage`, { method: 'POST' });
  expect(report.status).toBe(404);
  expect(asked).toEqual([]);
});

test('the batch process is told who may see cost, and who others, and believes no client', async () => {
  const bed = new ViewBed();
  const { port } = upstream.address() as AddressInfo;
  gateway = await bed.start({}, [], { dispatcher: new Agent(), origin: `http://127.0.0.1:${port}` });
  const keys = [
    bed.addKey('web'),
    bed.addKey('boss', { scopes: ['admin'] }),
    bed.addKey('one', { deployments: ['a'] }),
  ];
  for (const key of keys) {
    await fetch(`${gateway.url}/v1/usage`, {
      headers: { authorization: `Bearer ${key}`, 'x-infer-admin': 'true', 'x-infer-key': 'boss' },
    });
  }
  const told = ['x-infer-key', 'x-infer-admin', 'x-infer-own-usage'];
  expect(asked.map(({ headers }) => told.map((name) => headers[name]))).toEqual([
    ['web', undefined, undefined],
    ['boss', 'true', undefined],
    ['one', undefined, 'true'],
  ]);
});

test('a key of which nothing is known is shown its own usage alone', async () => {
  await start();
  await ask('/v1/usage');
  await gateway?.close();
  const bed = new ViewBed();
  const { port } = upstream.address() as AddressInfo;
  gateway = await bed.start({}, [], { dispatcher: new Agent(), origin: `http://127.0.0.1:${port}` });
  const key = bed.addKey('web');
  // As where the resource goes in the moment after the key was looked up.
  jest.spyOn(bed.apiKeys, 'get').mockReturnValue(undefined);
  await ask('/v1/usage', key);
  expect(asked.map(({ headers }) => [headers['x-infer-key'], headers['x-infer-own-usage']])).toEqual([
    ['view', 'true'],
    ['web', 'true'],
  ]);
});

test('is 503 without a batch process, and where that is down', async () => {
  gateway = await startGateway([]);
  const none = await ask('/v1/usage');
  expect(none.status).toBe(503);
  expect(await none.json()).toMatchObject({ error: { code: 'usage_not_kept' } });
  await gateway.close();
  await start();
  upstream.close();
  upstream.closeAllConnections();
  const down = await ask('/v1/usage');
  expect(down.status).toBe(503);
  expect(await down.json()).toMatchObject({ error: { code: 'batch_unreachable' } });
});
