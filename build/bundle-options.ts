/** What all bundles are made with. */
import { dirname } from 'node:path';
import type { BuildOptions, Plugin } from 'esbuild';

const root = dirname(import.meta.dirname);

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
      resolveDir: root,
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

/** All but entry points, target and folder. */
export const commonOptions: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  minifySyntax: true,
  legalComments: 'external',
  logLevel: 'warning',
  plugins: [onlyKubeConfig],
};
/** CommonJS dependencies call require() for Node's own modules; an ESM bundle has none by itself. */
export const requireBanner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";
