/** The keys that `infer keys create --save` keeps for this user: a file that nobody else may read. */
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliFailure } from '../failure.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Whose key it is: the URL of the API server, and a namespace of its. */
export interface KeyPlace {
  readonly server: string;
  readonly namespace: string;
}

export interface SavedKey extends KeyPlace {
  /** Of the APIKey. */
  readonly name: string;
  readonly key: string;
  /** The base URL that it was saved for, where the user named one. */
  readonly gateway?: string;
}

/** Returns where the file is: in XDG_CONFIG_HOME, else in ~/.config. */
export function keyFilePath(env: Environment): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'infer', 'keys.json');
}

/** Returns the key kept for this place, undefined where there is none. Throws CliFailure for a file that is broken. */
export async function readSavedKey(env: Environment, place: KeyPlace): Promise<SavedKey | undefined> {
  return (await readAll(keyFilePath(env))).find((saved) => isOf(saved, place));
}

/** Returns whether nobody but the user can read the file; Windows has no modes that say so. */
export async function isPrivate(path: string): Promise<boolean> {
  return process.platform === 'win32' || ((await stat(path)).mode & 0o077) === 0;
}

/** Keeps this key, instead of the one that was kept for its place; returns the path of the file. */
export async function saveKey(env: Environment, saved: SavedKey): Promise<string> {
  const path = keyFilePath(env);
  await writeAll(path, [...(await readAll(path)).filter((other) => !isOf(other, saved)), saved]);
  return path;
}

/** Takes the key of this name out; returns whether it was kept. */
export async function forgetKey(env: Environment, place: KeyPlace, name: string): Promise<boolean> {
  const path = keyFilePath(env);
  const all = await readAll(path);
  const kept = all.filter((saved) => !(isOf(saved, place) && saved.name === name));
  if (kept.length === all.length) return false;
  await writeAll(path, kept);
  return true;
}

function isOf(saved: KeyPlace, { server, namespace }: KeyPlace): boolean {
  return saved.server === server && saved.namespace === namespace;
}

async function readAll(path: string): Promise<SavedKey[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  try {
    const { keys } = JSON.parse(text) as { keys: SavedKey[] };
    if (Array.isArray(keys)) return keys;
  } catch {
    // Said below.
  }
  throw new CliFailure(
    `${path} is not a file of keys as infer writes it.`,
    'Move it away, and make a key anew: infer keys create NAME --save',
  );
}

/** As a whole or not at all: a reader never sees half of it. */
async function writeAll(path: string, keys: readonly SavedKey[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const half = `${path}.${process.pid}`;
  await writeFile(half, `${JSON.stringify({ keys }, undefined, 2)}\n`, { mode: 0o600 });
  // The mode above counts only for a file that did not exist.
  await chmod(half, 0o600);
  await rename(half, path);
}
