import { setImmediate } from 'node:timers/promises';
import { beforeEach, expect, test } from '@jest/globals';
import { Turns } from './turns.ts';

const LONG_MS = 60_000;

let begun: string[];
let ends: Map<string, () => void>;

beforeEach(() => {
  begun = [];
  ends = new Map();
});

/** Asks for a turn of the namespace that the name begins with; it lasts until it is ended. */
async function ask(turns: Turns, name: string): Promise<string> {
  return await turns.during(name.slice(0, 1), async () => {
    begun.push(name);
    await new Promise<void>((resolve) => ends.set(name, resolve));
    return name;
  });
}

async function end(name: string): Promise<void> {
  ends.get(name)?.();
  await setImmediate();
}

test('each waits for a place, and no namespace that waits twice goes before one that waits', async () => {
  const turns = new Turns('questions', { ofOne: 1, all: 2 }, LONG_MS);
  const all = ['a1', 'a2', 'a3', 'b1', 'c1'].map(async (name) => await ask(turns, name));
  expect(begun).toEqual(['a1', 'b1']);
  await end('a1');
  expect(begun).toEqual(['a1', 'b1', 'a2']);
  await end('a2');
  expect(begun.slice(3)).toEqual(['c1']);
  await end('b1');
  expect(begun.slice(4)).toEqual(['a3']);
  for (const name of ['c1', 'a3']) await end(name);
  expect(await Promise.all(all)).toEqual(['a1', 'a2', 'a3', 'b1', 'c1']);
});

test('whoever waits too long is refused, and holds no place after that', async () => {
  const turns = new Turns('questions', { ofOne: 1, all: 2 }, 5);
  const first = ask(turns, 'a1');
  await expect(ask(turns, 'a2')).rejects.toMatchObject({ status: 429 });
  const other = ask(turns, 'b1');
  await expect(ask(turns, 'c1')).rejects.toMatchObject({ status: 503 });
  for (const name of ['a1', 'b1']) await end(name);
  await Promise.all([first, other]);
  expect(begun).toEqual(['a1', 'b1']);
});

test('work that fails gives its place back', async () => {
  const turns = new Turns('questions', { ofOne: 1, all: 1 }, LONG_MS);
  const failed = turns.during('a', async () => {
    await setImmediate();
    throw new Error('broken');
  });
  const next = turns.during('b', async () => 'done');
  await expect(failed).rejects.toThrow('broken');
  expect(await next).toBe('done');
});
