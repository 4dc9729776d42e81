import { afterEach, expect, test } from '@jest/globals';
import { askStanding, standingAfter, type Standing } from './standing.ts';

const realFetch = globalThis.fetch;
const session = { namespace: 'team-a', name: 'web', scopes: ['view'] };

afterEach(() => {
  globalThis.fetch = realFetch;
});

function askWith(status: number, body: object, headers: Record<string, string> = {}): Promise<Standing> {
  globalThis.fetch = () => Promise.resolve(new Response(JSON.stringify(body), { status, headers }));
  return askStanding();
}

const unknown = (retryAfter?: string): Promise<Standing> =>
  askWith(
    503,
    { error: { message: 'Wait.', code: 'session_unknown_yet' } },
    retryAfter === undefined ? {} : { 'retry-after': retryAfter },
  );

test('is what the gateway says', async () => {
  expect(await askWith(200, session)).toEqual({ kind: 'signed-in', session });
  expect(await askWith(401, {})).toEqual({ kind: 'signed-out' });
  expect(await askWith(503, { error: { message: 'Full.', code: 'overloaded' } })).toEqual({ kind: 'unreachable' });
  globalThis.fetch = () => Promise.reject(new TypeError('unreachable'));
  expect(await askStanding()).toEqual({ kind: 'unreachable' });
});

test.each([
  ['3', 3_000],
  ['0', 1_000],
  ['Wed, 21 Oct 2026 07:28:00 GMT', 2_000],
  [undefined, 2_000],
])('of a gateway that does not know the session yet offers the form, and asks again: after %s', async (after, ms) => {
  const notice = expect.stringContaining('The gateway is starting');
  expect(await unknown(after)).toEqual({ kind: 'signed-out', notice, askAgainMs: ms });
});

test('a session that comes to be known is taken up, and one that does not has to begin anew', async () => {
  const [waiting, signedIn] = [await unknown('2'), { kind: 'signed-in', session } as const];
  expect(standingAfter({ kind: 'asking' }, waiting)).toBe(waiting);
  expect(standingAfter(signedIn, waiting)).toEqual(waiting);
  expect(standingAfter(waiting, signedIn)).toBe(signedIn);
  const over = standingAfter(waiting, { kind: 'signed-out' });
  expect(over).toEqual({ kind: 'signed-out', notice: expect.stringContaining('Sign in again') });
  expect(standingAfter(signedIn, { kind: 'signed-out' })).toEqual(over);
  expect(standingAfter({ kind: 'asking' }, { kind: 'signed-out' })).toEqual({ kind: 'signed-out' });
});

test('a break takes away neither what is shown nor what is typed, and asking goes on', async () => {
  const waiting = await unknown('2');
  for (const before of [waiting, { kind: 'signed-in', session } as const]) {
    const after = standingAfter(before, { kind: 'unreachable' });
    expect(after).toEqual(before);
    // Being another one sets the timer again.
    expect(after).not.toBe(before);
  }
  expect(standingAfter({ kind: 'asking' }, { kind: 'unreachable' })).toEqual({ kind: 'unreachable' });
});
