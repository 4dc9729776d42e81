import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { follow, reconnectDelayMs, staysUnknown, type Connection } from './connection.ts';

test('waits grow to a bound, and at random to half of it', () => {
  expect([1, 2, 3, 6, 60].map((failures) => reconnectDelayMs(failures, 1))).toEqual([500, 1000, 2000, 15_000, 15_000]);
  expect(reconnectDelayMs(1, 0)).toBe(250);
});

const realFetch = globalThis.fetch;
let answers: (() => Response)[];
let states: Connection[];
let events: string[];

beforeEach(() => {
  jest.useFakeTimers();
  // What follow() needs of a browser.
  Object.assign(globalThis, { document: new EventTarget(), addEventListener: () => undefined });
  [answers, states, events] = [[], [], []];
  globalThis.fetch = () => {
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new TypeError('unreachable')) : Promise.resolve(answer());
  };
});

afterEach(() => {
  jest.useRealTimers();
  globalThis.fetch = realFetch;
});

function start(signal: AbortSignal): Promise<void> {
  const follower = {
    onEvent: ({ name }: { name: string }) => void events.push(name),
    onConnection: (connection: Connection) => void states.push(connection),
  };
  return follow('/events', follower, signal);
}

test('a stream that ends is followed again, and what is stale says since when', async () => {
  const following = new AbortController();
  answers = [() => new Response('event: list\ndata: {}\n\n')];
  const done = start(following.signal);
  await jest.advanceTimersByTimeAsync(0);
  expect(states.map(({ state }) => state)).toEqual(['live', 'lost']);
  const since = states[1];
  await jest.advanceTimersByTimeAsync(3000);
  expect(states.length).toBeGreaterThan(2);
  expect(states.at(-1)).toEqual(since);
  answers = [() => new Response('event: list\ndata: {}\n\nevent: changed\ndata: {}\n\n')];
  await jest.advanceTimersByTimeAsync(15_000);
  expect(events).toEqual(['list', 'list', 'changed']);
  following.abort();
  await done;
});

test.each([401, 403, 404])('what is refused with %s is not asked again', async (status) => {
  answers = [() => new Response('{"error":{"message":"No."}}', { status })];
  await start(new AbortController().signal);
  expect(states.at(-1)).toMatchObject({ state: 'refused', error: { status, message: 'No.' } });
});

test('a gateway with too much to do is asked again', async () => {
  const following = new AbortController();
  answers = [
    () => new Response('{"error":{"message":"Full."}}', { status: 503 }),
    () => new Response('event: list\ndata: {}\n\n'),
  ];
  const done = start(following.signal);
  await jest.advanceTimersByTimeAsync(1000);
  expect(states[0]).toMatchObject({ state: 'lost', why: 'Full.' });
  expect(events).toEqual(['list']);
  following.abort();
  await done;
});

test('a gateway that does not know the session yet is asked when it says, and what stays unknown is told', async () => {
  const following = new AbortController();
  let asked = 0;
  const unknown = (): Response => {
    asked += 1;
    const headers = { 'retry-after': '2' };
    return new Response('{"error":{"message":"Wait.","code":"session_unknown_yet"}}', { status: 503, headers });
  };
  answers = Array.from({ length: 100 }, () => unknown);
  const done = start(following.signal);
  await jest.advanceTimersByTimeAsync(29_000);
  expect(asked).toBe(15);
  expect(states.some(staysUnknown)).toBe(false);
  await jest.advanceTimersByTimeAsync(2_000);
  expect(states.map(staysUnknown)).toEqual([...Array.from({ length: 15 }, () => false), true]);
  // Of one that is down something else is said; then it begins anew.
  answers = [() => new Response('{"error":{"message":"Full."}}', { status: 503 }), unknown];
  await jest.advanceTimersByTimeAsync(32_000);
  expect(states.slice(16).some(staysUnknown)).toBe(false);
  expect(asked).toBe(17);
  following.abort();
  await done;
});

test('a connection without a word is given up', async () => {
  const following = new AbortController();
  let isCut = false;
  globalThis.fetch = (_, init) => {
    init?.signal?.addEventListener('abort', () => (isCut = true));
    return Promise.resolve(
      new Response(
        new ReadableStream({
          start: (one) => init?.signal?.addEventListener('abort', () => one.error(new Error('aborted'))),
        }),
      ),
    );
  };
  const done = start(following.signal);
  await jest.advanceTimersByTimeAsync(39_000);
  expect(isCut).toBe(false);
  await jest.advanceTimersByTimeAsync(2000);
  expect(isCut).toBe(true);
  expect(states.at(-1)?.state).toBe('lost');
  following.abort();
  await done;
});
