import type { FileObject } from './file-object.ts';

/** The file objects that were read last. They never change, so that one only may have been deleted meanwhile. */
export class KnownFiles {
  readonly #most: number;
  readonly #files = new Map<string, FileObject>();

  /** Keeps `most` of them, of less than a kilobyte each. */
  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): FileObject | undefined {
    const file = this.#files.get(key);
    if (file !== undefined) this.set(key, file);
    return file;
  }

  set(key: string, file: FileObject): void {
    this.#files.delete(key);
    this.#files.set(key, file);
    if (this.#files.size <= this.#most) return;
    for (const oldest of this.#files.keys()) {
      this.#files.delete(oldest);
      return;
    }
  }

  delete(key: string): void {
    this.#files.delete(key);
  }
}
