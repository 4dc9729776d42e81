/** Sessions of the page at real gateways: who is let in, what a session may do, and when it ends. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Agent } from 'undici';
import { chat, FakeDeployment } from '../../../test/support/gateway.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { CHAT, engine } from '../../../test/support/gateway-bed.ts';
import { moveClock } from '../../../test/support/clock.ts';
import { EventStream, ViewBed, type ViewGateway } from '../../../test/support/view-bed.ts';
import { hashDigest, seal } from '../session/seal.ts';

const PAGE = { 'x-infer-page': '1' };

let bed: ViewBed;
let gateway: ViewGateway;

beforeEach(async () => {
  bed = new ViewBed();
  gateway = await bed.start();
});

afterEach(async () => {
  jest.useRealTimers();
  await bed.close();
});

function signIn(
  key: unknown,
  headers: Record<string, string> = PAGE,
  at: { url: string } = gateway,
): Promise<Response> {
  return fetch(`${at.url}/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ key }),
  });
}

/** Signs in and returns the Cookie header of later requests. */
async function cookieOf(key: string, at: { url: string } = gateway): Promise<string> {
  const response = await signIn(key, PAGE, at);
  expect(response.status).toBe(204);
  return response.headers.get('set-cookie')?.split(';')[0] ?? '';
}

async function statusOf(
  cookie: string,
  headers: Record<string, string> = PAGE,
  at: { url: string } = gateway,
): Promise<number> {
  return (await fetch(`${at.url}/v1/models`, { headers: { cookie, ...headers } })).status;
}

describe('signing in', () => {
  test('gives a cookie that scripts, other sites and plain HTTP never see', async () => {
    const key = bed.addKey('web');
    const plain = (await signIn(key)).headers.get('set-cookie');
    expect(plain).toMatch(/^infer_session=1\.[\w.-]+; HttpOnly; SameSite=Strict; Path=\/; Max-Age=43200$/);
    const secured = await signIn(key, { ...PAGE, 'x-forwarded-proto': 'https' });
    expect(secured.headers.get('set-cookie')).toMatch(/; Secure$/);
    expect(secured.headers.get('cache-control')).toBe('no-store');
    expect(plain).not.toContain(key.split('_')[2]);
  });

  test('needs a key of scope view', async () => {
    const key = bed.addKey('web');
    expect((await signIn(`${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`)).status).toBe(401);
    expect((await signIn(bed.addKey('off', { disabled: true }))).status).toBe(401);
    expect((await signIn(bed.addKey('robot', { scopes: ['inference'] }))).status).toBe(403);
    expect((await signIn(bed.addKey('boss', { scopes: ['admin'] }))).status).toBe(204);
    expect((await signIn(7)).status).toBe(400);
  });

  test('is for our own page alone', async () => {
    const key = bed.addKey('web');
    expect((await signIn(key, {})).status).toBe(403);
    expect((await signIn(key, { ...PAGE, 'content-type': 'text/plain' })).status).toBe(415);
    expect((await signIn(key, { ...PAGE, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await signIn(key, { ...PAGE, origin: 'https://evil.example' })).status).toBe(403);
    expect((await signIn(key, { ...PAGE, origin: gateway.url })).status).toBe(204);
  });

  test('takes no large body from anybody', async () => {
    const response = await signIn('x'.repeat(5_000));
    expect(response.status).toBe(413);
    expect(await response.text()).toContain('4096 bytes');
  });

  test('with wrong keys is told to wait after ten failures in a minute, and with the right one never', async () => {
    const key = bed.addKey('web');
    // Another secret of the same keyId.
    const wrong = new ViewBed().addKey('web');
    for (let attempt = 0; attempt < 10; attempt += 1) expect((await signIn(wrong)).status).toBe(401);
    const refused = await signIn(wrong);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('60');
    // The keyId is no secret, and behind a proxy all have one address.
    expect((await signIn(key)).status).toBe(204);
  });
});

describe('a session', () => {
  test('stands for its key in requests of the page, and in no others', async () => {
    const cookie = await cookieOf(bed.addKey('web', { scopes: ['view', 'files'] }));
    const session = await fetch(`${gateway.url}/session`, { headers: { cookie, ...PAGE } });
    expect(await session.json()).toEqual({ namespace: 'team-a', name: 'web', scopes: ['view', 'files'] });
    expect(await statusOf(cookie)).toBe(200);
    expect(await statusOf(cookie, {})).toBe(401);
    expect(await statusOf(cookie, { 'x-infer-page': 'yes' })).toBe(401);
    expect(await statusOf(cookie, { ...PAGE, 'sec-fetch-site': 'same-site' })).toBe(401);
    // An Authorization header is what counts where there is one.
    expect(await statusOf(cookie, { ...PAGE, authorization: 'Bearer nonsense' })).toBe(401);
    const chats = { method: 'POST', headers: { cookie, ...PAGE, 'content-type': 'application/json' }, body: '{}' };
    expect((await fetch(gateway.url + CHAT, chats)).status).toBe(403);
  });

  test('ends at the browser by signing out', async () => {
    const response = await fetch(`${gateway.url}/session`, { method: 'DELETE', headers: PAGE });
    expect(response.status).toBe(204);
    expect(response.headers.get('set-cookie')).toMatch(/^infer_session=; .*Max-Age=0$/);
    expect((await fetch(`${gateway.url}/session`, { headers: PAGE })).status).toBe(401);
  });

  test.each([
    ['is disabled', () => bed.changeKey('web', { disabled: true })],
    ['is over', () => bed.changeKey('web', { expiresAt: '2020-01-01T00:00:00Z' })],
    ['is deleted', () => bed.apiKeys.remove({ metadata: { namespace: 'team-a', name: 'web' } } as never)],
    ['has another secret', () => void bed.addKey('web')],
    ['has another keyId', () => bed.changeKey('web', { keyId: 'anotherone' })],
  ])('ends at once where its key %s', async (_, change) => {
    const cookie = await cookieOf(bed.addKey('web'));
    expect(await statusOf(cookie)).toBe(200);
    change();
    expect(await statusOf(cookie)).toBe(401);
  });

  test('may do what its key may do by now', async () => {
    const cookie = await cookieOf(bed.addKey('web'));
    bed.changeKey('web', { scopes: ['files'] });
    expect(await statusOf(cookie)).toBe(403);
  });

  test('is none where the cookie was changed or is somebody else’s', async () => {
    const cookie = await cookieOf(bed.addKey('web'));
    const at = cookie.length - 20;
    const changed = `${cookie.slice(0, at)}${cookie[at] === 'A' ? 'B' : 'A'}${cookie.slice(at + 1)}`;
    expect(await statusOf(changed)).toBe(401);
    expect(await statusOf(`other=1; ${cookie}; more=2`)).toBe(200);
    expect(await statusOf('infer_session=1.abcdefgh.AAAA')).toBe(401);
  });

  test('of a key that may be still to come is not refused for good', async () => {
    const cookie = await cookieOf(bed.addKey('web'));
    const young = await bed.start();
    const session = async () => (await fetch(`${young.url}/session`, { headers: { cookie, ...PAGE } })).status;
    const others = jest.spyOn(young.sealing, 'others', 'get');
    // Without an operator people can sign in, and the page goes on to ask.
    others.mockReturnValue('known later');
    expect([await statusOf(cookie, PAGE, young), await session()]).toEqual([503, 401]);
    others.mockReturnValue('known soon');
    expect([await statusOf(cookie, PAGE, young), await session()]).toEqual([503, 503]);
    const response = await fetch(`${young.url}/v1/models`, { headers: { cookie, ...PAGE } });
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await response.json()).toMatchObject({ error: { code: 'session_unknown_yet' } });
    // What is no cookie of ours will not be one.
    expect(await statusOf('infer_session=nonsense', PAGE, young)).toBe(401);
    expect(await statusOf(cookie, {}, young)).toBe(401);
    young.sealing.add(gateway.sealing.all());
    expect([await statusOf(cookie, PAGE, young), await session()]).toEqual([200, 200]);
  });

  test('ends its streams with it', async () => {
    const key = bed.addKey('web');
    const hash = bed.apiKeys.get({ namespace: 'team-a', name: 'web' })?.spec.hash ?? '';
    const issuedAtMs = Date.now() - 12 * 3_600_000 + 600_000;
    const names = { namespace: 'team-a', name: 'web', keyId: 'keyofweb' };
    const sealed = seal({ ...names, issuedAtMs, hashDigest: hashDigest(hash) }, gateway.sealing.current());
    const cookie = `infer_session=${sealed}`;
    const fresh = await cookieOf(key);
    const open = (session: string) =>
      EventStream.open(`${gateway.url}/v1/deployments/events`, { cookie: session, ...PAGE });
    const [stream, other] = [await open(cookie), await open(fresh)];
    expect([stream.status, stream.ended]).toEqual([200, false]);
    moveClock(600_000);
    await eventually(() => expect(stream.ended).toBe(true));
    expect(await statusOf(cookie)).toBe(401);
    expect([other.status, other.ended]).toEqual([200, false]);
    expect(await statusOf(fresh)).toBe(200);
  });

  test('has answers that no proxy may keep', async () => {
    const key = bed.addKey('web');
    const cookie = await cookieOf(key);
    for (const path of ['deployments', 'models', 'catalog', 'deployments/none']) {
      const response = await fetch(`${gateway.url}/v1/${path}`, { headers: { cookie, ...PAGE } });
      expect(response.headers.get('cache-control')).toBe('no-store');
    }
    const byKey = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } });
    expect(byKey.headers.get('cache-control')).toBeNull();
  });

  test('is opened by another gateway once it has the key, whichever made it', async () => {
    const other = await bed.start();
    const key = bed.addKey('web');
    const [mine, its] = [await cookieOf(key), await cookieOf(key, other)];
    expect(await statusOf(mine, PAGE, other)).toBe(401);
    // As the leader hands them around.
    other.sealing.add(gateway.sealing.all());
    gateway.sealing.add(other.sealing.all());
    for (const at of [gateway, other]) {
      expect(await statusOf(mine, PAGE, at)).toBe(200);
      expect(await statusOf(its, PAGE, at)).toBe(200);
    }
    expect(gateway.sealing.current()).toEqual(other.sealing.current());
    // A gateway that starts later makes none of its own.
    const late = await bed.start();
    late.sealing.add(gateway.sealing.all());
    expect(await statusOf(await cookieOf(key, late), PAGE, gateway)).toBe(200);
    expect(late.sealing.all()).toHaveLength(2);
  });
});

describe('the cookie goes', () => {
  const SECRET = /infer_session|x-infer-page/;

  test('to no engine, and the log names the key', async () => {
    const replica = await engine((response) => void response.end('{}'));
    const served = await bed.start({}, [new FakeDeployment('tiny', [replica.origin])]);
    const cookie = await cookieOf(bed.addKey('web', { scopes: ['view', 'inference'] }), served);
    const headers = { cookie, ...PAGE, 'content-type': 'application/json' };
    const response = await fetch(served.url + CHAT, { method: 'POST', headers, body: JSON.stringify(chat('tiny')) });
    expect(response.status).toBe(200);
    await response.text();
    expect(replica.requests).toHaveLength(1);
    expect(JSON.stringify(replica.requests[0]?.head.rawHeaders)).not.toMatch(SECRET);
    await served.close();
    expect(served.log()).toContain('"keyId":"keyofweb"');
    expect(served.log()).not.toContain(cookie.slice(20));
  });

  test('to no batch process', async () => {
    const heads: string[] = [];
    const upstream = createServer((request, response) => {
      heads.push(JSON.stringify(request.rawHeaders));
      response.end('{}');
    });
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
    const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    const dispatcher = new Agent();
    const served = await bed.start({}, [], { dispatcher, origin });
    const cookie = await cookieOf(bed.addKey('web', { scopes: ['view', 'files'] }), served);
    const response = await fetch(`${served.url}/v1/files`, { headers: { cookie, ...PAGE } });
    expect(response.status).toBe(200);
    await response.text();
    expect(heads).toHaveLength(1);
    expect(heads[0]).not.toMatch(SECRET);
    await dispatcher.close();
    upstream.close();
  });
});
