import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { once } from 'node:events';

// The holder of a lock may have removed the file while we waited for it: then ours is the lock of a deleted file, and
// somebody else may lock a new one of the same name. So the lock counts only where path and descriptor are one file.
const HOLD = 'while :; do exec 9>>"$1"; flock 9; [ "$1" -ef /dev/fd/9 ] && break; done; echo held; read -r line';

/**
 * Runs `body` while this process alone holds the lock `file`, and returns its result. The file is gone afterwards.
 * The kernel frees the lock when its holder dies (a small `flock` process that ends with this one), so a lock is never
 * stale. `waiting` is called once if somebody else holds it for longer than half a second.
 */
export async function withLock<T>(file: string, waiting: () => void, body: () => Promise<T>): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn('sh', ['-c', HOLD, 'sh', file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'close');
  const notice = setTimeout(waiting, 500);
  try {
    const held = await Promise.race([once(holder.stdout, 'data').then(() => true), ended.then(() => false)]);
    if (!held) throw new Error(`cannot lock ${file}: flock ended early; it is part of the util-linux package`);
    clearTimeout(notice);
    return await body();
  } finally {
    clearTimeout(notice);
    if (holder.exitCode === null) await rm(file, { force: true });
    holder.stdin.end();
    await ended;
  }
}
