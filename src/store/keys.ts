/** Which keys an object may have. */

// NFS keeps a removed file that is being read as `.nfs...`, and some servers show `.snapshot`: no object is called so.
const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/;
const MAX_LENGTH = 512;

/** Whether this can be the key of an object: see ObjectStore. */
export function isKey(key: string): boolean {
  return key.length <= MAX_LENGTH && key.split('/').every((part) => PART.test(part));
}

/** Throws TypeError unless this can be the key of an object. */
export function checkKey(key: string): void {
  if (!isKey(key)) throw new TypeError(`${JSON.stringify(key)} is no key of an object`);
}

/** Throws TypeError unless this is what keys in one folder begin with. */
export function checkPrefix(prefix: string): void {
  if (!prefix.endsWith('/') || !isKey(prefix.slice(0, -1))) {
    throw new TypeError(`${JSON.stringify(prefix)} is no prefix of keys that ends in a slash`);
  }
}
