import { text } from 'node:stream/consumers';
import { openFolderStore } from './folder-store.ts';
import { StoreUnavailable, type ObjectStore } from './object-store.ts';
import type { StoreSettings } from './settings.ts';

const PROBE_KEY = 'probe/written-at-start';
const PROBE_CONTENT = 'Infer wrote this to see whether it can.';

/** Returns the store of the settings. Throws StoreUnavailable and StoreFull. */
export async function createStore(settings: StoreSettings): Promise<ObjectStore> {
  if (settings.kind === 'folder') return await openFolderStore(settings.folder);
  // The SDK is more than a megabyte of code, of which nothing is needed with a folder.
  const { openS3Store } = await import('./s3-store.ts');
  return openS3Store(settings);
}

/**
 * Returns the store of the settings twice, to answer clients with and to run batches with. A bucket is reached on connections
 * of each one's own, so that neither waits for those that the other's slow readers hold; a folder belongs to one. Throws as
 * createStore.
 */
export async function createStores(
  settings: StoreSettings,
): Promise<{ forClients: ObjectStore; forBatches: ObjectStore }> {
  const forClients = await createStore(settings);
  return { forClients, forBatches: settings.kind === 's3' ? await createStore(settings) : forClients };
}

/**
 * Returns when the store has done all that it is needed for: written a small object, listed it and read it back. Throws
 * StoreUnavailable or StoreFull, whose messages say what is missing.
 */
export async function probeStore(store: ObjectStore, signal?: AbortSignal): Promise<void> {
  const options = signal === undefined ? {} : { signal };
  await store.put(PROBE_KEY, Buffer.from(PROBE_CONTENT), options);
  let listed = false;
  for await (const { key } of store.list('probe/', options)) listed ||= key === PROBE_KEY;
  const found = await store.get(PROBE_KEY, options);
  if (!listed || found === undefined || (await text(found.content)) !== PROBE_CONTENT) {
    throw new StoreUnavailable('The store does not give back what was written to it: check its volume or server.');
  }
}
