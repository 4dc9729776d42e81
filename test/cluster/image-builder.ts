/** Builds images into archives: with Docker where its engine runs, else with Debian's buildah. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { run, tryRun } from './command.ts';
import { ensureDebianRoot, rootKey, type DebianRoot } from './image-root.ts';
import { withLock } from './lock.ts';
import { ensurePackages } from './packages.ts';
import { cacheDirectory } from './paths.ts';

/** One image to build. */
export interface Recipe {
  /** The whole name, as in `localhost/infer:dev`. */
  image: string;
  dockerfile: string;
  /** The folder that the Dockerfile copies from. */
  context: string;
  /** Paths of the files that decide the content, beside the Dockerfile: a change of any means another archive. */
  inputs: string[];
  /** What the Dockerfile's argument BASE is to hold. With Docker its default stands, which comes from a registry. */
  root?: DebianRoot;
  target?: string;
  buildArguments?: Record<string, string>;
}

type Progress = (line: string) => void;
type Build = (recipe: Recipe, archive: string, progress: Progress) => Promise<void>;

const HOUR_MS = 60 * 60 * 1000;

function imagesDirectory(): string {
  return join(cacheDirectory(), 'images');
}

function buildFlags(recipe: Recipe): string[] {
  const flags = ['--file', recipe.dockerfile, '--tag', recipe.image];
  if (recipe.target !== undefined) flags.push('--target', recipe.target);
  for (const [name, value] of Object.entries(recipe.buildArguments ?? {}))
    flags.push('--build-arg', `${name}=${value}`);
  return flags;
}

/** Returns true where a Docker engine answers; the command alone is not enough. */
async function hasDockerEngine(): Promise<boolean> {
  const { code } = await tryRun('docker', ['info'], { timeoutMs: 10_000 }).catch(() => ({ code: -1 }));
  return code === 0;
}

const buildWithDocker: Build = async (recipe, archive) => {
  await run('docker', ['build', ...buildFlags(recipe), recipe.context], { env: { DOCKER_BUILDKIT: '1' } });
  await run('docker', ['save', '--output', archive, recipe.image]);
};

/** A store of our own: nothing of the machine's containers is read or changed. */
async function buildahStore(): Promise<string[]> {
  const directory = join(imagesDirectory(), 'buildah');
  const store = (driver: string): string[] => {
    const folder = join(directory, driver);
    return ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', driver];
  };
  // overlay shares layers; vfs copies them but works on every file system.
  const { code } = await tryRun('buildah', [...store('overlay'), 'info']);
  return store(code === 0 ? 'overlay' : 'vfs');
}

const buildWithBuildah: Build = async (recipe, archive, progress) => {
  await ensurePackages(['buildah'], 'to build images', progress);
  const store = await buildahStore();
  const buildah = async (args: string[]): Promise<string> => await run('buildah', [...store, ...args]);
  // Neither process isolation nor a network of its own: both need rights that a build does not, and the times of files
  // would make another image of the same content.
  const flags = ['--isolation', 'chroot', '--timestamp', '0', '--pull=never', '--layers'];
  if (recipe.root) {
    const name = `localhost/debian-root:${rootKey(recipe.root)}`;
    flags.push('--build-arg', `BASE=${name}`);
    const { code } = await tryRun('buildah', [...store, 'inspect', '--type', 'image', name]);
    if (code !== 0) {
      const tar = await ensureDebianRoot(recipe.root, progress);
      const container = (await buildah(['from', 'scratch'])).trim();
      await buildah(['add', container, tar, '/']);
      await buildah(['commit', '--quiet', '--rm', '--timestamp', '0', container, name]);
    }
  }
  await buildah(['build', ...flags, ...buildFlags(recipe), recipe.context]);
  await buildah(['push', recipe.image, `docker-archive:${archive}:${recipe.image}`]);
  await buildah(['rmi', '--prune']);
};

/**
 * Runs a command as root in an image that this machine has built, with folders of the machine mounted (`folders`: path
 * in the image to path outside), and returns its output. Throws with its last lines when it fails.
 */
export async function runInImage(image: string, folders: Record<string, string>, command: string[]): Promise<string> {
  const mounts = Object.entries(folders).flatMap(([inside, outside]) => ['--volume', `${outside}:${inside}`]);
  if (await hasDockerEngine()) {
    return await run('docker', ['run', '--rm', '--user', '0', '--entrypoint', '', ...mounts, image, ...command]);
  }
  const store = await buildahStore();
  const container = (await run('buildah', [...store, 'from', '--pull-never', image])).trim();
  try {
    return await run('buildah', [
      ...store,
      'run',
      '--isolation',
      'chroot',
      '--user',
      '0',
      ...mounts,
      container,
      '--',
      ...command,
    ]);
  } finally {
    await run('buildah', [...store, 'rm', container]);
  }
}

async function contentHash(recipe: Recipe, builder: string): Promise<string> {
  const { image, target, buildArguments, root, inputs } = recipe;
  const hash = createHash('sha256').update(
    JSON.stringify([builder, image, target, buildArguments, root && rootKey(root)]),
  );
  for (const file of [recipe.dockerfile, ...inputs]) {
    const content = await readFile(file);
    hash.update(`${basename(file)} ${content.length}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 16);
}

async function buildArchive(recipe: Recipe, build: Build, archive: string, progress: Progress): Promise<void> {
  const unfinished = `${archive}.unfinished`;
  await mkdir(dirname(archive), { recursive: true });
  await rm(unfinished, { force: true });
  try {
    await build(recipe, unfinished, progress);
    await rename(unfinished, archive);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** Removes the archives of `name` that nobody has used for an hour, so that the cache does not grow with every change. */
async function prune(name: string): Promise<void> {
  for (const folder of await readdir(imagesDirectory())) {
    const archive = join(imagesDirectory(), folder, name);
    const info = await stat(archive).catch(() => undefined);
    if (info && Date.now() - info.mtimeMs > HOUR_MS) await rm(dirname(archive), { recursive: true, force: true });
  }
}

/**
 * Returns the archives of `recipes`, in their order, building those whose content is not in the cache yet. Each is
 * CACHE/images/CONTENT-HASH/NAME.tar, so the same path always holds the same image. Two processes never build at once.
 * Throws an Error with the builder's last lines when a build fails.
 */
export async function ensureArchives(recipes: Recipe[], progress: Progress): Promise<string[]> {
  const docker = await hasDockerEngine();
  const build = docker ? buildWithDocker : buildWithBuildah;
  const archives: string[] = [];
  for (const recipe of recipes) {
    const name = `${recipe.image.replace(/^.*\//, '').replace(/:.*$/, '')}.tar`;
    const archive = join(imagesDirectory(), await contentHash(recipe, docker ? 'docker' : 'buildah'), name);
    archives.push(archive);
    if (existsSync(archive)) {
      await utimes(archive, new Date(), new Date());
      continue;
    }
    const waiting = (): void => progress('waiting for another process that builds images');
    await withLock(join(imagesDirectory(), 'build.lock'), waiting, async () => {
      if (existsSync(archive)) return;
      progress(`building ${recipe.image}`);
      const started = Date.now();
      await buildArchive(recipe, build, archive, progress);
      await prune(name);
      progress(`built ${recipe.image} in ${Math.round((Date.now() - started) / 1000)} s`);
    });
  }
  return archives;
}
