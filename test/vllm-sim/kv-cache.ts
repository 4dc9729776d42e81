/**
 * Blocks of a KV cache with prefix reuse. A block is private (being filled, or a duplicate), shared (full, known by its
 * digest, held by at least one request) or idle (full and known, held by none; evicted least recently used first).
 * Invariant: private + shared + idle <= total.
 */
export class KvCache {
  readonly #total: number;
  readonly #prefixCaching: boolean;
  #privateBlocks = 0;
  readonly #holders = new Map<string, number>();
  /** In order of last use: Map keeps insertion order. */
  readonly #idle = new Set<string>();

  constructor(total: number, prefixCaching: boolean) {
    this.#total = total;
    this.#prefixCaching = prefixCaching;
  }

  /** Blocks held by no request; idle ones count, since they can be evicted. */
  get free(): number {
    return this.#total - this.#privateBlocks - this.#holders.size;
  }

  /** Share of blocks that requests hold, 0 to 1. */
  get usage(): number {
    return this.#total === 0 ? 0 : (this.#privateBlocks + this.#holders.size) / this.#total;
  }

  /** How many of these digests, from the first on, are in the cache. */
  match(hashes: readonly string[]): number {
    const miss = hashes.findIndex((hash) => !this.#holders.has(hash) && !this.#idle.has(hash));
    return miss === -1 ? hashes.length : miss;
  }

  /** Blocks among these digests that are idle now: holding them takes that many free blocks. */
  idleAmong(hashes: readonly string[]): number {
    return hashes.filter((hash) => this.#idle.has(hash)).length;
  }

  /** Holds a known full block for one more request. */
  hold(hash: string): void {
    this.#idle.delete(hash);
    this.#holders.set(hash, (this.#holders.get(hash) ?? 0) + 1);
  }

  /** Takes `count` private blocks, evicting idle ones; false and no change when there are not as many free. */
  allocate(count: number): boolean {
    if (count > this.free) return false;
    this.#privateBlocks += count;
    for (const hash of this.#idle) {
      if (this.#privateBlocks + this.#holders.size + this.#idle.size <= this.#total) break;
      this.#idle.delete(hash);
    }
    return true;
  }

  /** Publishes a private block that is now full. False where it stays private: no caching, or a duplicate. */
  seal(hash: string): boolean {
    if (!this.#prefixCaching || this.#holders.has(hash)) return false;
    this.#idle.delete(hash);
    this.#privateBlocks -= 1;
    this.#holders.set(hash, 1);
    return true;
  }

  /** Gives one holder's claim back; `undefined` stands for a private block. */
  release(hash: string | undefined): void {
    if (hash === undefined) {
      this.#privateBlocks -= 1;
      return;
    }
    const holders = (this.#holders.get(hash) ?? 1) - 1;
    if (holders > 0) {
      this.#holders.set(hash, holders);
      return;
    }
    this.#holders.delete(hash);
    this.#idle.add(hash);
  }
}
