import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from './command.ts';
import { cacheDirectory } from './paths.ts';

/** The same input gives the same archive. */
const TAR = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/**
 * Returns the path of a docker-archive of an image that holds one static program and runs it, made once for each
 * program and then cached. The format: https://github.com/moby/docker-image-spec.
 */
export async function ensureScratchImage(image: string, program: string): Promise<string> {
  const directory = join(cacheDirectory(), 'images');
  const key = createHash('sha256')
    .update(JSON.stringify([image, program, TAR]))
    .digest('hex');
  const archive = join(directory, `${basename(program)}-${key.slice(0, 16)}.tar`);
  if (existsSync(archive)) return archive;
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, 'unfinished-'));
  try {
    await mkdir(join(work, 'root'));
    await copyFile(program, join(work, 'root', basename(program)));
    await run('tar', [...TAR, '-C', join(work, 'root'), '-cf', join(work, 'layer.tar'), basename(program)]);
    const configuration = {
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      config: { Entrypoint: [`/${basename(program)}`] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${await sha256(join(work, 'layer.tar'))}`] },
    };
    await writeFile(join(work, 'config.json'), JSON.stringify(configuration));
    const manifest = [{ Config: 'config.json', RepoTags: [image], Layers: ['layer.tar'] }];
    await writeFile(join(work, 'manifest.json'), JSON.stringify(manifest));
    const files = ['manifest.json', 'config.json', 'layer.tar'];
    await run('tar', [...TAR, '-C', work, '-cf', join(work, 'image.tar'), ...files]);
    await rename(join(work, 'image.tar'), archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return archive;
}
