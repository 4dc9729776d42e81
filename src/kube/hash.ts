/** The same content, the same hash: by value, whatever the order of keys. Without I/O, so that pure code may use it. */
import { createHash } from 'node:crypto';

/** Returns JSON with the keys of objects in order, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, child: unknown) => {
    if (typeof child !== 'object' || child === null || Array.isArray(child)) return child;
    return Object.fromEntries(Object.entries(child).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Returns 32 hexadecimal digits that stand for `value`, which JSON can hold. */
export function contentHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 32);
}
