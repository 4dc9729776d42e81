/** The images of Infer and of the test clusters' stand-ins, as archives for `ctr images import` and kind. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './command.ts';
import { ensureArchives, type Recipe } from './image-builder.ts';
import type { DebianRoot } from './image-root.ts';
import { repositoryRoot } from './paths.ts';
import { UserError } from './user-error.ts';

/** What Node needs of a system: C and C++ libraries, time zones and the tables of /etc. */
const NODE_ROOT: DebianRoot = {
  variant: 'extract',
  packages: ['base-files', 'netbase', 'tzdata', 'libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'],
};

const NODE_PACKAGE = `node-linux-${process.arch}`;

/** `files` are what the stage copies beside Node; a bundle brings its licence notices along, where it has any. */
async function nodeImage(name: string, bundles: string[], files: string[] = []): Promise<Recipe> {
  const built = await readdir(join(repositoryRoot, 'dist'));
  const notices = bundles.map((bundle) => `${bundle}.LEGAL.txt`).filter((file) => built.includes(file));
  const inputs = [
    ...[...bundles, ...notices].map((file) => join('dist', file)),
    ...files,
    'package.json',
    '.dockerignore',
    // The package's version stands for its 150 MB.
    join('node_modules', NODE_PACKAGE, 'package.json'),
  ];
  return {
    image: `localhost/${name}:dev`,
    dockerfile: join(repositoryRoot, 'Dockerfile'),
    context: repositoryRoot,
    target: name,
    inputs: inputs.map((input) => join(repositoryRoot, input)),
    root: NODE_ROOT,
    buildArguments: { NODE_PACKAGE },
  };
}

/**
 * Returns the archives of the images localhost/infer:dev, vllm-sim:dev and hub-sim:dev, building the bundles and then
 * those images where something changed; under a second where nothing did.
 * Throws a UserError when a tool is missing and cannot be installed, an Error when a build fails.
 */
export async function buildImages(progress: (line: string) => void = () => undefined): Promise<{ archives: string[] }> {
  await run(process.execPath, ['build.ts'], { cwd: repositoryRoot });
  const page = await readdir(join(repositoryRoot, 'dist/page'));
  const recipes = [
    await nodeImage(
      'infer',
      ['operator.js', 'gateway.js', 'batch.js', 'prefetch.js', 'preflight.js'],
      ['LICENSE', 'NOTICE', ...page.map((file) => join('dist/page', file))],
    ),
    await nodeImage('vllm-sim', ['vllm-sim.js'], ['test/vllm-sim/vllm']),
    await nodeImage('hub-sim', ['hub-sim.js']),
  ];
  return { archives: await ensureArchives(recipes, progress) };
}

if (import.meta.main) {
  try {
    const { archives } = await buildImages((line) => console.log(line));
    for (const archive of archives) console.log(archive);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
