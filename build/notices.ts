/** The licences of what is in a bundle, which go where it goes. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

/**
 * Returns the text of a NOTICE for the packages of npm that the outputs have bytes of: name, version, licence, and the
 * files in which they state it. Throws where one states none.
 */
export function noticesOf({ outputs }: Metafile, root: string): string {
  const inputs = Object.values(outputs).flatMap((output) =>
    Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  // The last one where a package has its own copy of another.
  const folders = new Set(inputs.flatMap((path) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
  return [...folders]
    .toSorted()
    .map((folder) => noticeOf(join(root, folder)))
    .join('\n');
}

function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)\b/i.test(file));
  if (license === undefined && files.length === 0) throw new Error(`${name} ${version} states no licence`);
  const texts = files.toSorted().map((file) => readFileSync(join(folder, file), 'utf8').trim());
  return [`${'-'.repeat(80)}\n${name} ${version}: ${license ?? 'see below'}`, ...texts, ''].join('\n\n');
}
