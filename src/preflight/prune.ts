import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A folder of a model; whatever else is on the volume is not ours. */
const FOLDER = /^[0-9a-f]{16}$/;

/**
 * Removes the models of a shared volume that nobody reads any more: the folders beside `directory` that have the form
 * of ours and are neither it nor in `keep`. Rejects where one cannot be removed.
 */
export async function pruneModels(directory: string, keep: readonly string[]): Promise<string[]> {
  const parent = dirname(directory);
  const kept = new Set([...keep, basename(directory)]);
  const entries = await readdir(parent, { withFileTypes: true });
  const old = entries.filter((entry) => entry.isDirectory() && FOLDER.test(entry.name) && !kept.has(entry.name));
  for (const { name } of old) await rm(join(parent, name), { recursive: true, force: true });
  return old.map(({ name }) => name);
}
