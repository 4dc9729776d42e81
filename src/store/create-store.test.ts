import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { createStores } from './create-store.ts';

test('a bucket has connections for clients and for batches, a folder one owner', async () => {
  const bucket = { bucket: 'ours', endpoint: 'http://127.0.0.1:1', region: 'a', prefix: '', pathStyle: true };
  const remote = await createStores({ kind: 's3', ...bucket });
  expect(remote.forBatches).not.toBe(remote.forClients);
  const folder = await mkdtemp(join(tmpdir(), 'infer-stores-'));
  const local = await createStores({ kind: 'folder', folder });
  expect(local.forBatches).toBe(local.forClients);
  await rm(folder, { recursive: true });
});
