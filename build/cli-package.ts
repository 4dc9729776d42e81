/** Makes a folder a package of npm: `infer.js`, the pieces that it loads when a command needs them, and nothing else. */
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import manifest from '../package.json' with { type: 'json' };
import { OLDEST_NODE } from '../src/cli/oldest-node.ts';
import { commonOptions, requireBanner } from './bundle-options.ts';
import { noticesOf } from './notices.ts';

const ROOT = join(import.meta.dirname, '..');

/** The name `infer` is somebody else's at npm. */
const NAME = '@infer-dev/cli';

/** Builds the CLI into `outdir`, beside what is there. */
export async function buildCli(outdir: string): Promise<void> {
  const { metafile } = await build({
    ...commonOptions,
    entryPoints: { infer: join(ROOT, 'src/cli/main.ts') },
    absWorkingDir: ROOT,
    metafile: true,
    outdir,
    target: `node${OLDEST_NODE}`,
    // A command loads its own pieces only: `infer --help` none of them.
    splitting: true,
    chunkNames: 'infer/[name]-[hash]',
    minify: true,
    banner: { js: requireBanner },
  });
  chmodSync(join(outdir, 'infer.js'), 0o755);
  copyFileSync(join(ROOT, 'LICENSE'), join(outdir, 'LICENSE'));
  copyFileSync(join(import.meta.dirname, 'cli-readme.md'), join(outdir, 'README.md'));
  const own = readFileSync(join(ROOT, 'NOTICE'), 'utf8');
  writeFileSync(join(outdir, 'NOTICE'), `${own}\nIt contains:\n\n${noticesOf(metafile, ROOT)}`);
  const { version, description, license } = manifest;
  const published = {
    name: NAME,
    version,
    description,
    license,
    // Until there is such a name for it: nobody publishes it by mistake.
    private: true,
    type: 'module',
    bin: { infer: 'infer.js' },
    engines: { node: `>=${OLDEST_NODE}` },
    files: ['infer.js', 'infer', 'NOTICE'],
  };
  writeFileSync(join(outdir, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}
