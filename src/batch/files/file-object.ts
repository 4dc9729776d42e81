/** A file as clients see it, which is also what is stored of it beside its content. */
import { firstIdAt, isTimedId, timeOf } from '../timed-ids.ts';

const ID_PREFIX = 'file-';

/** How long files are kept where nothing else was asked for, as OpenAI keeps those of batches. */
export const DEFAULT_LIFETIME_SECONDS = 30 * 86_400;
export const LIFETIME_SECONDS = { least: 3_600, most: 30 * 86_400 };

export type FilePurpose = 'batch' | 'batch_output';

/** OpenAI's file object. Times in Unix seconds. */
export interface FileObject {
  readonly id: string;
  readonly object: 'file';
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number;
  readonly filename: string;
  readonly purpose: FilePurpose;
  /** Deprecated, and required all the same. */
  readonly status: 'processed';
}

/** Returns the id of a file from 32 hexadecimal digits of TimedIds. */
export function fileIdOf(timedId: string): string {
  return ID_PREFIX + timedId;
}

/** True for what may be the id of a file: only such an id may become part of a key of the store. */
export function isFileId(id: string): boolean {
  return id.startsWith(ID_PREFIX) && isTimedId(id.slice(ID_PREFIX.length));
}

/** Returns when the file of this id was created, in Unix milliseconds. */
export function fileCreatedMs(id: string): number {
  return timeOf(id.slice(ID_PREFIX.length));
}

/** Returns an id between those of files created before and at this time, in Unix milliseconds, or the first of these. */
export function firstFileIdAt(ms: number): string {
  return fileIdOf(firstIdAt(ms));
}

/** Returns the object of a file whose content is stored; the times follow from its id. */
export function fileObject(file: {
  id: string;
  bytes: number;
  filename: string;
  purpose: FilePurpose;
  lifetimeSeconds: number;
}): FileObject {
  const { id, bytes, filename, purpose, lifetimeSeconds } = file;
  const createdAt = Math.floor(fileCreatedMs(id) / 1000);
  return {
    id,
    object: 'file',
    bytes,
    created_at: createdAt,
    expires_at: createdAt + lifetimeSeconds,
    filename,
    purpose,
    status: 'processed',
  };
}

/** True from the second in which the file expires: it does not exist any more, whether it was removed or not. */
export function isExpired(file: FileObject, nowMs: number): boolean {
  return nowMs >= file.expires_at * 1000;
}

/** Where the content of a file lies. */
export function contentKey(namespace: string, id: string): string {
  return `${contentPrefix(namespace)}${id}`;
}

/** Where the object of a file lies. It is written last and removed first: without it the file does not exist. */
export function metaKey(namespace: string, id: string): string {
  return `${metaPrefix(namespace)}${id}`;
}

export function contentPrefix(namespace: string): string {
  return `files/${namespace}/content/`;
}

export function metaPrefix(namespace: string): string {
  return `files/${namespace}/meta/`;
}
