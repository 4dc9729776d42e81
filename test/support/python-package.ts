/** Packages of PyPI for tests, each in a virtual environment that is made once and cached. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from '../cluster/paths.ts';

const run = promisify(execFile);

/**
 * Returns the path of a Python that has the package of `requirement` (`NAME==VERSION`). The first time it comes from
 * PyPI; two callers at once are fine. Throws with what pip said when it cannot be had.
 */
export async function ensurePythonPackage(requirement: string): Promise<string> {
  const cache = join(cacheDirectory(), 'venv');
  const home = join(cache, requirement.replace('==', '-'));
  const path = join(home, 'bin', 'python3');
  if (existsSync(path)) return path;
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(`${home}-`);
  await run('python3', ['-m', 'venv', temporary]);
  await run(join(temporary, 'bin', 'python3'), ['-m', 'pip', 'install', '--quiet', requirement]);
  try {
    renameSync(temporary, home);
  } catch (error) {
    rmSync(temporary, { recursive: true });
    if (!existsSync(path)) throw error; // else another caller was faster
  }
  return path;
}
