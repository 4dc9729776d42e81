/**
 * Every process of a cluster is in a cgroup of the cluster, from its first instruction on: so whoever finds the cgroup
 * finds them all, shims and containers too, whatever was killed when, and never a process of anybody else.
 * Paths are relative to each hierarchy, as in `infer/NAME/node-1`. Version 1, hybrid and version 2.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMounts } from './mounts.ts';
import type { Mount } from './mounts.ts';
import { UserError } from './user-error.ts';
import { waitFor } from './wait.ts';

async function hierarchies(): Promise<Mount[]> {
  return (await readMounts()).filter(
    ({ type, path }) => type.startsWith('cgroup') && path.startsWith('/sys/fs/cgroup'),
  );
}

/** The hierarchy that is used to find processes; runc puts containers into all of them. */
async function processHierarchy(): Promise<string> {
  const all = await hierarchies();
  const found =
    all.find(({ type, superOptions }) => type === 'cgroup' && superOptions.includes('pids')) ??
    all.find(({ type }) => type === 'cgroup2');
  if (found === undefined) throw new UserError('No cgroups are mounted at /sys/fs/cgroup: mount them first.');
  return found.path;
}

/** A cpuset of version 1 starts empty and takes no process until it has CPUs and memory nodes. */
async function fillCpuset(directory: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const value = (await readFile(join(directory, file), 'utf8')).trim();
    if (value === '') await writeFile(join(directory, file), await readFile(join(directory, '..', file), 'utf8'));
  }
}

/** In version 2 a cgroup has the controllers that its parent passes on. One that the kernel lacks is passed over. */
async function passControllersOn(directory: string): Promise<void> {
  const available = (await readFile(join(directory, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  for (const controller of available) {
    await writeFile(join(directory, 'cgroup.subtree_control'), `+${controller}`).catch(() => undefined);
  }
}

/** Makes the cgroup in every hierarchy, ready to hold containers. */
export async function ensureContainerCgroup(path: string): Promise<void> {
  const all = await hierarchies();
  const hasVersion1 = all.some(({ type }) => type === 'cgroup');
  for (const { path: root, type, superOptions } of all) {
    // In hybrid mode nothing but systemd uses the unified hierarchy.
    if (type === 'cgroup2' && hasVersion1) continue;
    let directory = root;
    for (const part of path.split('/')) {
      if (type === 'cgroup2') await passControllersOn(directory);
      directory = join(directory, part);
      await mkdir(directory, { recursive: true });
      if (superOptions.includes('cpuset')) await fillCpuset(directory);
    }
  }
}

/** Makes the cgroup for one program and returns its folder; a process joins by its number in `cgroup.procs`. */
export async function ensureProcessCgroup(path: string): Promise<string> {
  const directory = join(await processHierarchy(), path);
  await mkdir(directory, { recursive: true });
  return directory;
}

async function descendants(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const children = entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
  const below = await Promise.all(children.map(async (child) => await descendants(child)));
  return [...below.flat(), directory];
}

/** Returns true where the cgroup exists in any hierarchy. */
export async function cgroupExists(path: string): Promise<boolean> {
  return (await hierarchies()).some(({ path: root }) => existsSync(join(root, path)));
}

/** Returns the numbers of all processes in the cgroup and below. */
export async function processesBelow(path: string): Promise<number[]> {
  const directories = await descendants(join(await processHierarchy(), path));
  const texts = await Promise.all(
    directories.map(async (directory) => await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== '')).map(Number);
}

/** Kills every process in the cgroup and below and returns when none is left. Throws after ten seconds. */
export async function killBelow(path: string): Promise<void> {
  await waitFor(
    `the end of the processes in the cgroup ${path}`,
    async () => {
      const pids = await processesBelow(path);
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
        }
      }
      return pids.length === 0 ? true : undefined;
    },
    { timeoutMs: 10_000, intervalMs: 20 },
  );
}

/** Removes the cgroup and those below it from every hierarchy, and its parents that are empty then. */
export async function removeCgroup(path: string): Promise<void> {
  for (const { path: root } of await hierarchies()) {
    if (!existsSync(join(root, path))) continue;
    // A cgroup stays busy for a moment after its last process.
    for (const directory of await descendants(join(root, path))) {
      await waitFor(`the removal of ${directory}`, async () => await rmdir(directory).then(() => true), {
        timeoutMs: 5000,
        intervalMs: 10,
      });
    }
    const parent = join(root, path, '..');
    // Another cluster may still be in it.
    if (parent !== root) await rmdir(parent).catch(() => undefined);
  }
}
