/** A binary heap of numbered things by a key, the least first. */
export class MinHeap {
  readonly #keys: number[] = [];
  readonly #values: number[] = [];

  get size(): number {
    return this.#keys.length;
  }

  /** The least key; Infinity where the heap is empty. */
  get leastKey(): number {
    return this.#keys[0] ?? Infinity;
  }

  /** The values in no order; not to be written to. */
  get values(): readonly number[] {
    return this.#values;
  }

  push(key: number, value: number): void {
    const keys = this.#keys;
    const values = this.#values;
    let at = keys.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentKey = keys[parent] as number;
      if (parentKey <= key) break;
      keys[at] = parentKey;
      values[at] = values[parent] as number;
      at = parent;
    }
    keys[at] = key;
    values[at] = value;
  }

  /** Takes the value of the least key away and returns it; the heap must not be empty. */
  pop(): number {
    const keys = this.#keys;
    const values = this.#values;
    const result = values[0] as number;
    const key = keys.pop() as number;
    const value = values.pop() as number;
    const size = keys.length;
    if (size === 0) return result;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && (keys[child + 1] as number) < (keys[child] as number)) child++;
      const childKey = keys[child] as number;
      if (childKey >= key) break;
      keys[at] = childKey;
      values[at] = values[child] as number;
      at = child;
    }
    keys[at] = key;
    values[at] = value;
    return result;
  }
}
