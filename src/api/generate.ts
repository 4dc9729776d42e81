/**
 * Writes src/api/generated/*.ts and docs/reference/api.md from crds/*.yaml; `--check` writes nothing and fails with the
 * list of files that differ. The CRDs are the source: never edit what this writes.
 */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { apiReference } from './generate-docs.ts';
import { typesFor } from './generate-types.ts';
import { readDefinitions } from './schema.ts';

const root = join(import.meta.dirname, '../..');
const typesFolder = join(root, 'src/api/generated');

/** Returns what every generated file should hold, by its absolute path. */
async function generate(): Promise<Map<string, string>> {
  const definitions = await readDefinitions(join(root, 'crds'));
  const files = new Map<string, string>();
  for (const definition of definitions) {
    const name = definition.kind
      .replaceAll(/([a-z])([A-Z])/g, '$1-$2')
      .replace(/^API/, 'API-')
      .toLowerCase();
    files.set(join(typesFolder, `${name}.ts`), await typesFor(definition));
  }
  files.set(join(root, 'docs/reference/api.md'), apiReference(definitions));
  return files;
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Returns the type files of kinds that crds/ no longer holds. */
async function leftovers(wanted: Map<string, string>): Promise<string[]> {
  const present = await readdir(typesFolder).catch(() => []);
  return present.map((file) => join(typesFolder, file)).filter((file) => !wanted.has(file));
}

const wanted = await generate();
const stale = await leftovers(wanted);
const differing: string[] = [];
for (const [file, text] of wanted) if ((await textOf(file)) !== text) differing.push(file);

if (process.argv.includes('--check')) {
  const names = [...differing, ...stale].map((file) => relative(root, file));
  if (names.length > 0) {
    console.error(
      `These files differ from what crds/ says; run \`make generate\` and commit:\n  ${names.join('\n  ')}`,
    );
    process.exitCode = 1;
  }
} else {
  for (const file of differing) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, wanted.get(file) ?? '');
  }
  for (const file of stale) await rm(file);
}
