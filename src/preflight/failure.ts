/** Why a model could not be downloaded; each becomes the reason of a condition. */
export type DownloadReason =
  | 'InvalidSettings'
  | 'ModelNotFound'
  | 'RevisionNotFound'
  | 'ModelGated'
  | 'TokenInvalid'
  | 'NoSafetensors'
  | 'ModelRefused'
  | 'AdapterRefused'
  | 'ChecksumMismatch'
  | 'HubUnreachable'
  | 'DiskFull'
  | 'DirectoryNotWritable';

/** A download that cannot succeed by trying again. The message is one sentence for the user, without any token. */
export class DownloadFailure extends Error {
  override name = 'DownloadFailure';
  readonly reason: DownloadReason;

  constructor(reason: DownloadReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** Something that may go better in a moment: a busy or unreachable hub, a connection that broke. */
export class TemporaryError extends Error {
  override name = 'TemporaryError';
  /** How long the other side asks to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, retryAfterMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'ENOENT', 'EEXIST', 'EISDIR']);

/**
 * The failure that an error of the file system means, or undefined for any other error.
 * @param directory where the model goes; the message names it.
 */
export function diskFailure(error: unknown, directory: string): DownloadFailure | undefined {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  if (FULL.has(code)) {
    return new DownloadFailure(
      'DiskFull',
      `The volume at ${directory} is full: give the hardware profile a model cache with a larger sizeLimit.`,
      { cause: error },
    );
  }
  if (NOT_WRITABLE.has(code)) {
    return new DownloadFailure(
      'DirectoryNotWritable',
      `The directory ${directory} cannot be written (${code}): mount a volume there that this user may write.`,
      { cause: error },
    );
  }
  return undefined;
}
