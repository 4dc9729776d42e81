/** The volume of the test: vLLM's Python packages from PyPI and a tiny generated model, made once and then cached. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, tryRun } from '../cluster/command.ts';
import { ensureArchives, runInImage, type Recipe } from '../cluster/image-builder.ts';
import { withLock } from '../cluster/lock.ts';
import { cacheDirectory } from '../cluster/paths.ts';
import { UserError } from '../cluster/user-error.ts';

export const ENGINE_IMAGE = 'localhost/vllm-cpu:dev';
/** The model's folder on the volume. */
export const MODEL_PATH = 'tiny-llama';

const PACKAGES = 'site-packages';
const UV_VERSION = '0.13.9';
// Debian 12's Python, which is the image's; the machine's own may be another.
const PYTHON_VERSION = '3.11';
const VLLM_VERSION = '0.32.0';

const here = import.meta.dirname;

/** The small image that vLLM runs in. */
const engineRecipe: Recipe = {
  image: ENGINE_IMAGE,
  dockerfile: join(here, 'Dockerfile'),
  context: here,
  inputs: [join(here, 'vllm')],
  root: {
    variant: 'minbase',
    packages: ['python3', 'libnuma1', 'libgomp1', 'libsqlite3-0', 'libssl3', 'libffi8'],
  },
};

/** Returns the engine image's archive. */
export async function ensureEngineImage(progress: (line: string) => void): Promise<string[]> {
  return await ensureArchives([engineRecipe], progress);
}

/** uv installs for a Python and a platform other than the machine's, and many wheels at once. */
async function ensureUv(): Promise<string> {
  const folder = join(cacheDirectory(), 'e2e-vllm', `uv-${UV_VERSION}`);
  const uv = join(folder, 'bin', 'uv');
  if (existsSync(uv)) return uv;
  const { code, stderr } = await tryRun('python3', ['-m', 'venv', folder]);
  if (code !== 0) {
    throw new UserError(
      `Python's venv module is needed to install vLLM (${stderr.trim()}): apt-get install python3-venv.`,
    );
  }
  await run(join(folder, 'bin', 'pip'), ['install', '--quiet', `uv==${UV_VERSION}`]);
  return uv;
}

async function installPackages(folder: string, scratch: string): Promise<void> {
  const uv = await ensureUv();
  const platform = ['--python-version', PYTHON_VERSION, '--python-platform', 'x86_64-manylinux_2_36'];
  const from = ['--no-deps', '--only-binary', ':all:', '--requirement', join(here, 'requirements.txt')];
  await run(uv, ['pip', 'install', ...from, '--target', folder, ...platform], {
    env: { UV_CACHE_DIR: scratch, UV_SYSTEM_CERTS: '1', UV_HTTP_TIMEOUT: '300' },
  });
  // vLLM asks for the version of the package `vllm`, and runs on the CPU where that version says `cpu`.
  const metadata = join(folder, `vllm-${VLLM_VERSION}+cpu.dist-info`);
  await mkdir(metadata);
  await writeFile(join(metadata, 'METADATA'), `Metadata-Version: 2.1\nName: vllm\nVersion: ${VLLM_VERSION}+cpu\n`);
}

async function generateModel(volume: string): Promise<void> {
  await runInImage(ENGINE_IMAGE, { '/volume': volume, '/script': here }, [
    'env',
    `PYTHONPATH=/volume/${PACKAGES}`,
    'python3',
    '/script/make-model.py',
    `/volume/${MODEL_PATH}`,
  ]);
}

/**
 * Returns the folder that the test's PersistentVolume shows: `site-packages` and the model. Needs the engine image.
 * Throws a UserError when Python or its venv module is missing, an Error when a download fails.
 */
export async function ensureVolume(progress: (line: string) => void): Promise<string> {
  const root = join(cacheDirectory(), 'e2e-vllm');
  const hash = createHash('sha256').update(`${UV_VERSION} ${PYTHON_VERSION} ${VLLM_VERSION}`);
  for (const file of ['requirements.txt', 'make-model.py']) hash.update(await readFile(join(here, file)));
  const name = `volume-${hash.digest('hex').slice(0, 16)}`;
  const volume = join(root, name);
  const waiting = (): void => progress('waiting for another process that installs vLLM');
  await withLock(join(root, 'volume.lock'), waiting, async () => {
    if (existsSync(volume)) return;
    for (const old of await readdir(root)) {
      if (old.startsWith('volume-')) await rm(join(root, old), { recursive: true });
    }
    const unfinished = `${volume}.unfinished`;
    const scratch = join(unfinished, 'uv-cache');
    await mkdir(unfinished);
    progress('installing vLLM from PyPI (5 GB)');
    await installPackages(join(unfinished, PACKAGES), scratch);
    await rm(scratch, { recursive: true });
    progress('generating a tiny random Llama with its tokenizer');
    await generateModel(unfinished);
    // The pod's user owns none of it.
    await run('chmod', ['-R', 'a+rX', unfinished]);
    await rename(unfinished, volume);
  });
  return volume;
}
