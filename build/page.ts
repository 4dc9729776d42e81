/** Bundles the web page that the gateway serves into dist/page/. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { build } from 'esbuild';

const SOURCE = join(import.meta.dirname, '../src/dashboard');

/**
 * Writes index.html, app-HASH.js and app-HASH.css, each as it is and, with .gz and .br after its name, compressed.
 * Rejects where the sources do not bundle.
 */
export async function buildPage(folder: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: { app: join(SOURCE, 'main.tsx'), style: join(SOURCE, 'styles/style.css') },
    outdir: folder,
    entryNames: '[name]-[hash]',
    bundle: true,
    write: false,
    platform: 'browser',
    target: ['chrome120', 'firefox124', 'safari17.4'],
    format: 'esm',
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    // Licence notices stay in the files that they are about.
    legalComments: 'inline',
    logLevel: 'warning',
  });
  const assets = outputFiles.map(({ path, contents }) => ({ name: path.slice(folder.length + 1), contents }));
  const named = (extension: string): string => assets.find(({ name }) => name.endsWith(extension))?.name ?? '';
  const template = await readFile(join(SOURCE, 'index.html'), 'utf8');
  const html = template.replace('app.js', named('.js')).replace('style.css', named('.css'));
  await mkdir(folder, { recursive: true });
  for (const { name, contents } of [...assets, { name: 'index.html', contents: Buffer.from(html) }]) {
    await writeFile(join(folder, name), contents);
    await writeFile(join(folder, `${name}.gz`), await promisify(gzip)(contents, { level: 9 }));
    const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
    await writeFile(join(folder, `${name}.br`), await promisify(brotliCompress)(contents, best));
  }
}
