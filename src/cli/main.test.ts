import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const MAIN = join(import.meta.dirname, 'main.ts');
/** A process that loads the sources of all commands: jest's five seconds are not enough on a machine that is busy. */
const PROCESS_MS = 60_000;

test.each(['18.20.4', '20.19.0', '22.18.0'])(
  'Node %s is told that it is too old',
  (version) => {
    const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
    const args = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, MAIN, 'version', '--client'];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: `Error: infer needs Node 22.19.0 or newer; this is Node ${version}.\nNext:  Install a newer one: https://nodejs.org\n`,
    });
  },
  PROCESS_MS,
);

test(
  'a failure is told by the exit code where nobody reads standard error',
  async () => {
    const child = spawn(process.execPath, [MAIN, 'nonsense'], { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.destroy();
    expect(await once(child, 'close')).toEqual([2, null]);
  },
  PROCESS_MS,
);
