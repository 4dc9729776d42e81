import { StoreFull, StoreUnavailable } from './object-store.ts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The code of an error of the file system, such as ENOENT; undefined for any other. */
export function codeOf(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall === undefined ? undefined : code;
}

/** Returns what an error of the file system means to users of the store; any other error as it is. */
export function folderError(error: unknown, folder: string): Error {
  const code = codeOf(error);
  if (code === undefined) return error as Error;
  if (FULL.has(code)) {
    return new StoreFull(
      `The volume at ${folder} is full (${code}): enlarge its PersistentVolumeClaim or delete files.`,
      { cause: error },
    );
  }
  return new StoreUnavailable(
    `The folder ${folder} cannot be used (${code}): check that its volume is mounted, works and may be written by this user.`,
    { cause: error },
  );
}
