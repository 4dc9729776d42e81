import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pruneModels } from './prune.ts';

const WANTED = '0123456789abcdef';
const SERVED = 'fedcba9876543210';
const OLD = '00000000000000aa';

let volume: string;

beforeEach(async () => {
  volume = await mkdtemp(join(tmpdir(), 'infer-prune-'));
  for (const name of [WANTED, SERVED, OLD, 'lost+found', 'someone-elses']) await mkdir(join(volume, name));
  await writeFile(join(volume, OLD, 'model.safetensors'), 'weights');
  await writeFile(join(volume, 'bbbbbbbbbbbbbbbb'), 'a file');
});

afterEach(async () => await rm(volume, { recursive: true }));

test('a model that nobody reads goes; what is read, what is wanted and what is not ours stay', async () => {
  expect(await pruneModels(join(volume, WANTED), [SERVED])).toEqual([OLD]);
  expect((await readdir(volume)).toSorted()).toEqual(
    [WANTED, SERVED, 'lost+found', 'someone-elses', 'bbbbbbbbbbbbbbbb'].toSorted(),
  );
});

test('the wanted folder need not be there yet', async () => {
  const directory = join(volume, '1111111111111111');
  expect((await pruneModels(directory, [WANTED, SERVED, OLD])).length).toBe(0);
});
