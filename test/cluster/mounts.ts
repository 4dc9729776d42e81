import { readFile } from 'node:fs/promises';
import { run } from './command.ts';

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  path: string;
  type: string;
  superOptions: string[];
}

/** Returns the mounts in the text of a mountinfo file, in its order. Pure. */
export function parseMounts(mountinfo: string): Mount[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      // The optional fields before the dash vary in number.
      const dash = fields.indexOf('-', 6);
      // Space, tab, newline and backslash stand as octal escapes.
      const path = (fields[4] ?? '').replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      return { path, type: fields[dash + 1] ?? '', superOptions: (fields[dash + 3] ?? '').split(',') };
    });
}

/** Returns this process's mounts. */
export async function readMounts(): Promise<Mount[]> {
  return parseMounts(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Unmounts everything at and below `directory`, the innermost first. */
export async function unmountBelow(directory: string): Promise<void> {
  const below = (await readMounts()).filter(({ path }) => path === directory || path.startsWith(`${directory}/`));
  // Later mounts lie on top of earlier ones.
  for (const { path } of below.toReversed()) await run('umount', ['--lazy', path]);
}
