import { expect, test } from '@jest/globals';
import { BatchWorld, NAMESPACE } from '../../../test/support/batch-world.ts';
import { enterState } from './state.ts';
import { sweepLeftovers } from './leftovers.ts';

const DAY_MS = 86_400_000;
const NAMES = ['errors', 'lines', 'output/1', 'error/1', 'manifest/file-1'];

async function worldWith(...uids: string[]): Promise<BatchWorld> {
  const world = new BatchWorld();
  for (const uid of uids) {
    for (const name of NAMES) await world.store.put(`batches/${uid}/${name}`, Buffer.from('x'));
  }
  return world;
}

async function sweep(world: BatchWorld, ageMs: number, namespace?: string): Promise<number> {
  const batches = { list: () => [world.batch('runs'), world.batch('ended')].flatMap((batch) => batch ?? []) };
  const signal = new AbortController().signal;
  return await sweepLeftovers(world.store, batches, { namespace, nowMs: Date.now() + ageMs, signal });
}

test('what is left of batches that ended or are gone is removed after a day, and nothing else', async () => {
  const world = await worldWith(
    `${NAMESPACE}/uid-runs`,
    `${NAMESPACE}/uid-ended`,
    `${NAMESPACE}/uid-gone`,
    'b/uid-gone',
  );
  world.addBatch('file-1', {}, 'runs');
  world.addBatch('file-1', {}, 'ended');
  world.edit((batch) => ({ ...batch, status: enterState(batch, 'Failed', 'No.', new Date()) }), 'ended');
  expect(await sweep(world, DAY_MS - 60_000)).toBe(0);
  expect(await sweep(world, DAY_MS + 1)).toBe(14);
  const kept = NAMES.map((name) => `batches/${NAMESPACE}/uid-runs/${name}`);
  expect(world.keys('batches/')).toEqual([`batches/${NAMESPACE}/uid-ended/errors`, ...kept].sort());
});

test('a process that knows the batches of one namespace leaves those of others', async () => {
  const world = await worldWith('a/uid-gone', 'a-b/uid-gone');
  expect(await sweep(world, DAY_MS + 1, 'a')).toBe(5);
  expect(world.keys('batches/')).toHaveLength(5);
});
