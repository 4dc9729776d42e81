/**
 * Bundles each process into one file under dist/, so that a process loads only the modules it uses.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildPage } from './build/page.ts';
import { commonOptions, requireBanner } from './build/bundle-options.ts';
import { buildCli } from './build/cli-package.ts';

rmSync('dist', { recursive: true, force: true });
await build({
  ...commonOptions,
  entryPoints: {
    operator: 'src/operator/main.ts',
    gateway: 'src/gateway/main.ts',
    batch: 'src/batch/main.ts',
    prefetch: 'src/preflight/prefetch.ts',
    preflight: 'src/preflight/preflight.ts',
    'vllm-sim': 'test/vllm-sim/main.ts',
    'hub-sim': 'test/hub-sim/main.ts',
  },
  outdir: 'dist',
  target: 'node26',
  banner: { js: requireBanner },
});
await buildPage(join(import.meta.dirname, 'dist/page'));
await buildCli('dist');
