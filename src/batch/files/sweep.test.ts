import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openFolderStore } from '../../store/folder-store.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { TimedIds } from '../timed-ids.ts';
import { contentKey, fileIdOf, fileObject, metaKey } from './file-object.ts';
import { FileRepository } from './file-repository.ts';
import { sweep } from './sweep.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 22);

let folder: string;
let store: ObjectStore;
let files: FileRepository;
let now: number;
let ids: TimedIds;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'infer-sweep-'));
  store = await openFolderStore(folder);
  now = START_MS;
  files = new FileRepository(store, { error: () => undefined }, () => now);
  ids = new TimedIds(() => now);
});

afterEach(() => rm(folder, { recursive: true }));

/** Stores the content of a file, of now, and returns its id. */
async function content(namespace: string): Promise<string> {
  const id = fileIdOf(ids.next());
  const key = contentKey(namespace, id);
  await store.put(key, Buffer.from('x'));
  await utimes(join(folder, 'objects', key), new Date(now), new Date(now));
  return id;
}

async function file(namespace: string, lifetimeSeconds: number): Promise<string> {
  const id = await content(namespace);
  await files.add(namespace, fileObject({ id, bytes: 1, filename: 'a.jsonl', purpose: 'batch', lifetimeSeconds }));
  return id;
}

/** The last part of every key in the store. */
async function left(): Promise<string[]> {
  const names = await readdir(join(folder, 'objects'), { recursive: true, withFileTypes: true });
  return [...new Set(names.filter((entry) => entry.isFile()).map(({ name }) => name))];
}

const run = (signal = new AbortController().signal) => sweep(store, files, { nowMs: now, signal });

test('removes what expired, in every namespace, and nothing else', async () => {
  const short = await Promise.all(['team', 'team-a', 'other'].map((namespace) => file(namespace, 3600)));
  const long = await file('team', 30 * 86_400);
  const onlyHere = await file('last', 7200);
  expect(await run()).toEqual({ expired: 0, unfinished: 0 });
  now += 3600 * 1000;
  const young = await file('team', 3600);
  expect(await run()).toEqual({ expired: short.length, unfinished: 0 });
  expect((await left()).toSorted()).toEqual([long, onlyHere, young].toSorted());
});

test('removes content of no file once it is older than a day', async () => {
  const kept = await file('team', 30 * 86_400);
  await content('team');
  await content('other');
  now += DAY_MS - 1;
  expect(await run()).toEqual({ expired: 0, unfinished: 0 });
  now += 1;
  const young = await content('team');
  expect(await run()).toEqual({ expired: 0, unfinished: 2 });
  expect((await left()).toSorted()).toEqual([kept, young].toSorted());
});

test('leaves content that was written anew after it was listed', async () => {
  const id = await content('team');
  now += DAY_MS;
  const key = contentKey('team', id);
  const head = store.head.bind(store);
  // What asks for its meta finds none, and by then it is new.
  store.head = async (asked) => {
    if (asked !== key) await utimes(join(folder, 'objects', key), new Date(now), new Date(now));
    return await head(asked);
  };
  expect(await run()).toEqual({ expired: 0, unfinished: 0 });
  expect(await left()).toEqual([id]);
});

test('goes on behind what is no file object, which goes when every file of its age has expired', async () => {
  const corrupt = await file('team', 30 * 86_400);
  await store.put(metaKey('team', corrupt), Buffer.from('garbage'));
  await file('team', 3600);
  now += 30 * DAY_MS - 1;
  expect(await run()).toEqual({ expired: 1, unfinished: 0 });
  expect(await left()).toEqual([corrupt]);
  now += 1;
  expect(await run()).toEqual({ expired: 1, unfinished: 0 });
  expect(await left()).toEqual([]);
});

test('ends where it is told to', async () => {
  await file('team', 3600);
  now += DAY_MS;
  await expect(run(AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
});
