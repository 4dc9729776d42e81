/** Root file systems of Debian packages, the bases of images where there is no registry. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './command.ts';
import { ensurePackages } from './packages.ts';
import { cacheDirectory } from './paths.ts';

/** What a root holds. */
export interface DebianRoot {
  /** mmdebstrap's word: `extract` holds the packages' files alone and no shell, `minbase` a small whole system. */
  variant: 'extract' | 'minbase';
  packages: string[];
}

const SUITE = 'bookworm';

// mmdebstrap copies host name, resolver and package sources from the machine it runs on: images must not depend on it
// or tell of it. Without the helper programs of base-files and debconf an `extract` root holds no program at all.
const STRIP: Record<DebianRoot['variant'], string> = {
  extract:
    'cd "$1" && rm -rf etc/hostname etc/resolv.conf etc/apt/sources.list etc/apt/sources.list.d usr/bin usr/sbin',
  minbase: 'cd "$1" && rm -rf etc/hostname etc/resolv.conf etc/apt/sources.list etc/apt/sources.list.d',
};

/** Returns a short hash of all that decides the root, apart from the packages' versions. */
export function rootKey(root: DebianRoot): string {
  return createHash('sha256')
    .update(JSON.stringify([SUITE, root, STRIP[root.variant]]))
    .digest('hex')
    .slice(0, 16);
}

/** Returns the path of a tar with the root; it is made once and then cached. */
export async function ensureDebianRoot(root: DebianRoot, progress: (line: string) => void): Promise<string> {
  const path = join(cacheDirectory(), 'images', 'roots', `${rootKey(root)}.tar`);
  if (existsSync(path)) return path;
  await ensurePackages(['mmdebstrap'], 'to build images', progress);
  progress(`making a Debian root with ${root.packages.join(' ')}`);
  await mkdir(dirname(path), { recursive: true });
  const unfinished = `${path}.${process.pid}`;
  const hook = root.variant === 'extract' ? '--extract-hook' : '--customize-hook';
  try {
    await run(
      'mmdebstrap',
      [
        '--quiet',
        `--variant=${root.variant}`,
        '--format=tar',
        `--include=${root.packages.join(',')}`,
        `${hook}=${STRIP[root.variant]}`,
        SUITE,
        unfinished,
      ],
      // Packages carry their own times; without this, what mmdebstrap itself writes would differ from run to run.
      { env: { SOURCE_DATE_EPOCH: '0' } },
    );
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
  return path;
}
