import { createInterface } from 'node:readline/promises';
import { run, tryRun } from './command.ts';
import { UserError } from './user-error.ts';

/** Says no where a person is asked and declines; without a terminal, or with YES=1, nobody is asked. */
async function agreed(question: string): Promise<boolean> {
  if (process.env['YES'] === '1' || !process.stdin.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(`${question} [Y/n] `);
    return !/^n/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

async function isInstalled(name: string): Promise<boolean> {
  const { code, stdout } = await tryRun('dpkg-query', ['--show', '--showformat=${db:Status-Status}', name]);
  return code === 0 && stdout === 'installed';
}

/** At run level 1 Debian starts no service on install: the cluster starts its own. */
async function apt(args: string[]): Promise<void> {
  await run('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=600', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  });
}

/**
 * Installs the Debian packages of `names` that are missing, after saying which and what for (`reason`, as in "to build
 * images"). Asks first on a terminal, unless YES=1.
 * Throws a UserError on a system without apt, without root, or when the user declines.
 */
export async function ensurePackages(
  names: string[],
  reason: string,
  progress: (line: string) => void = () => undefined,
): Promise<void> {
  const known = await tryRun('dpkg-query', ['--version']).then(
    ({ code }) => code === 0,
    () => false,
  );
  if (!known) {
    throw new UserError(`This system has no apt: install the equivalents of ${names.join(', ')} ${reason} yourself.`);
  }
  const missing: string[] = [];
  for (const name of names) if (!(await isInstalled(name))) missing.push(name);
  if (missing.length === 0) return;

  const command = `apt-get install --yes --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0)
    throw new UserError(`${missing.join(', ')} missing ${reason}: run \`sudo ${command}\`.`);
  if (!(await agreed(`Install the Debian packages ${missing.join(', ')} ${reason}?`))) {
    throw new UserError(`${missing.join(', ')} missing ${reason}: run \`${command}\` yourself.`);
  }
  progress(`installing the Debian packages ${missing.join(', ')} ${reason}`);
  await apt(['update']);
  await apt(['install', '--yes', '--no-install-recommends', ...missing]);
}
