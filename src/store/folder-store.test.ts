import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openFolderStore } from './folder-store.ts';
import { StoreUnavailable, type ObjectStore } from './object-store.ts';

let root: string;
let store: ObjectStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'infer-store-'));
  store = await openFolderStore(root);
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function content(key: string): Promise<string | undefined> {
  const found = await store.get(key);
  return found && (await text(found.content));
}

test('what an earlier process left unfinished is removed at start', async () => {
  await store.put('a/whole', Buffer.from('whole'));
  await writeFile(join(root, 'unfinished', 'left'), 'half of it');
  store = await openFolderStore(root);
  expect(await readdir(join(root, 'unfinished'))).toEqual([]);
  expect(await content('a/whole')).toBe('whole');
});

test('a folder that is not there is StoreUnavailable', async () => {
  await expect(openFolderStore(join(root, 'absent'))).rejects.toThrow(StoreUnavailable);
});

test('symbolic links are not followed', async () => {
  const outside = join(root, 'outside');
  await mkdir(outside);
  await writeFile(join(outside, 'secret'), 'secret');
  await mkdir(join(root, 'objects', 'a'));
  await symlink(outside, join(root, 'objects', 'a', 'folder'));
  await symlink(join(outside, 'secret'), join(root, 'objects', 'a', 'file'));
  for (const key of ['a/folder/secret', 'a/file']) {
    await expect(store.get(key)).rejects.toThrow(StoreUnavailable);
    await expect(store.head(key)).rejects.toThrow(StoreUnavailable);
  }
  await expect(store.put('a/folder/secret', Buffer.from('other'))).rejects.toThrow(StoreUnavailable);
  await expect(store.delete('a/folder/secret')).rejects.toThrow(StoreUnavailable);
  expect(await readdir(outside)).toEqual(['secret']);
  for await (const { key } of store.list('a/')) expect(key).toBe('none');
  await store.delete('a/file');
  expect(await readdir(outside)).toEqual(['secret']);
});

test('empty folders go with their last object, also while others write there', async () => {
  const writes = Array.from({ length: 300 }, async (_, index) => {
    const key = `a/b/c/${index % 3}`;
    await store.put(key, Buffer.from('x'));
    await store.delete(key);
  });
  await Promise.all(writes);
  expect(await readdir(join(root, 'objects'))).toEqual([]);
});

test('a key that is a part of another is a defect', async () => {
  await store.put('a/b', Buffer.from('x'));
  await expect(store.put('a', Buffer.from('x'))).rejects.toThrow(TypeError);
  await expect(store.put('a/b/c', Buffer.from('x'))).rejects.toThrow(TypeError);
  expect(await content('a')).toBeUndefined();
  expect(await content('a/b/c')).toBeUndefined();
  await store.delete('a');
  await store.delete('a/b/c');
  expect(await content('a/b')).toBe('x');
});

test('a file that shrinks while it is read fails instead of ending early', async () => {
  await store.put('a', Buffer.alloc(1024 * 1024, 'x'));
  const found = await store.get('a');
  if (found === undefined) throw new Error('it was written');
  await writeFile(join(root, 'objects', 'a'), 'short');
  await expect(text(found.content)).rejects.toThrow(StoreUnavailable);
});

test('what a file system keeps there for itself is no object', async () => {
  await store.put('a/b', Buffer.from('x'));
  await writeFile(join(root, 'objects', 'a', '.nfs0000000001'), 'x');
  await mkdir(join(root, 'objects', 'a', '.snapshot'));
  await writeFile(join(root, 'objects', 'a', '.snapshot', 'b'), 'x');
  const keys = [];
  for await (const { key } of store.list('a/')) keys.push(key);
  expect(keys).toEqual(['a/b']);
});
