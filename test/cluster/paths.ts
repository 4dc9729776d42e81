import { homedir } from 'node:os';
import { join } from 'node:path';

/** The repository's root. */
export const repositoryRoot = join(import.meta.dirname, '..', '..');

/** Where built binaries and images are kept between runs, outside the checkout. */
export function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'infer');
}

/** The folder that holds one folder per running cluster. */
export function stateRoot(): string {
  return process.env['INFER_STATE_DIR'] ?? '/var/lib/infer';
}
