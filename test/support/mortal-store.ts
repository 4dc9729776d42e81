/** A store in memory that ends with its process, for tests of crash points. */
import { MemoryStore } from './memory-store.ts';

/** What a change throws once the process has ended. */
export class Crash extends Error {}

/** A store that does not live through its `lifetime`-th change. */
export class MortalStore extends MemoryStore {
  lifetime = Number.POSITIVE_INFINITY;

  override async put(...parameters: Parameters<MemoryStore['put']>): Promise<number> {
    this.#live();
    return await super.put(...parameters);
  }

  override async delete(key: string): Promise<void> {
    this.#live();
    await super.delete(key);
  }

  #live(): void {
    this.lifetime -= 1;
    if (this.lifetime < 0) throw new Crash();
  }
}
