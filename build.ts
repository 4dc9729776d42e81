/**
 * Bundles each process into one file under dist/, so that a process loads only the modules it uses.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { buildPage } from './build-page.ts';

/**
 * client-node whole costs 16 MB of code, 80 MB of memory and 0.2 s of every start; we use its KubeConfig, and the
 * operator's frame names a few classes that nobody calls. In bundles `@kubernetes/client-node` is only that.
 */
const onlyKubeConfig: Plugin = {
  name: 'only-kube-config',
  setup(bundler) {
    bundler.onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: 'client-node', namespace: 'slim' }));
    bundler.onLoad({ filter: /^client-node$/, namespace: 'slim' }, () => ({
      contents: `export { KubeConfig } from '@kubernetes/client-node/dist/config.js';
        export class CoreV1Api {}
        export class Watch {}
        export class ApiextensionsV1Api {}
        export function loadYaml() { throw new Error('not in this bundle'); }`,
      resolveDir: import.meta.dirname,
    }));
    // KubeConfig takes two small modules from an index of a thousand.
    bundler.onResolve({ filter: /^\.\/gen\/index\.js$/ }, ({ resolveDir }) => ({
      path: resolveDir,
      namespace: 'slim-gen',
    }));
    bundler.onLoad({ filter: /client-node/, namespace: 'slim-gen' }, ({ path }) => ({
      contents: `export { createConfiguration } from './gen/configuration.js';
        export { ServerConfiguration } from './gen/servers.js';`,
      resolveDir: path,
    }));
  },
};

rmSync('dist', { recursive: true, force: true });
await build({
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
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  minifySyntax: true,
  legalComments: 'external',
  logLevel: 'warning',
  plugins: [onlyKubeConfig],
  // CommonJS dependencies call require() for Node's own modules; an ESM bundle has none by itself.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
await buildPage(join(import.meta.dirname, 'dist/page'));
