/** Makes a folder a package of npm: `infer.js`, the pieces that it loads when a command needs them, and nothing else. */
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import manifest from '../package.json' with { type: 'json' };
import { commonOptions, requireBanner } from './bundle-options.ts';

/** By undici and commander, which are in the bundle. */
const OLDEST_NODE = '22.19.0';

/** Builds the CLI into `outdir`, beside what is there. */
export async function buildCli(outdir: string): Promise<void> {
  await build({
    ...commonOptions,
    entryPoints: { infer: join(import.meta.dirname, '../src/cli/main.ts') },
    outdir,
    target: `node${OLDEST_NODE}`,
    // A command loads its own pieces only: `infer --help` none of them.
    splitting: true,
    chunkNames: 'infer/[name]-[hash]',
    minify: true,
    banner: { js: requireBanner },
  });
  chmodSync(join(outdir, 'infer.js'), 0o755);
  copyFileSync(join(import.meta.dirname, '../LICENSE'), join(outdir, 'LICENSE'));
  const { name, version, description, license } = manifest;
  const published = {
    name,
    version,
    description,
    license,
    type: 'module',
    bin: { infer: 'infer.js' },
    engines: { node: `>=${OLDEST_NODE}` },
    files: ['infer.js', 'infer'],
  };
  writeFileSync(join(outdir, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}
