/** Pure: which objects of a day are merged into one. */
import type { StoredObject } from '../store/object-store.ts';

/** What is merged into one object; a day may have several. */
const MERGED_BYTES = 4 * 1024 * 1024;

/** Yields objects that fit into one, in order; those that are large already are left alone. */
export function* mergeGroups(objects: readonly StoredObject[]): Generator<StoredObject[]> {
  let group: StoredObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (object.bytes > MERGED_BYTES / 2) continue;
    if (bytes + object.bytes > MERGED_BYTES) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(object);
    bytes += object.bytes;
  }
  if (group.length > 1) yield group;
}
