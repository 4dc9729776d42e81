/**
 * Pure: the keys that gateways seal the sessions of the page with, handed around over the load channel so that each can
 * open what another sealed. A gateway makes one when it has to seal and knows none; whoever holds several agrees with
 * all others on which to seal with, by their age alone. They are in memory only.
 */
import { MAX_SEALING_KEYS, type SealingKey } from './messages.ts';

const HOUR_MS = 3_600_000;
/** So long a session lasts. */
export const SESSION_MS = 12 * HOUR_MS;
/** So long a key seals; then it opens what it sealed until the last session of it is over. */
const SEALS_MS = 24 * HOUR_MS;
/** Clocks differ. One made later than that would never go, or be no one's. */
const AHEAD_MS = HOUR_MS;

export class SealingKeys {
  #keys: readonly SealingKey[] = [];

  /** Takes keys that another holds; returns whether there are others than before. Of too many that seal the oldest stay. */
  add(keys: readonly SealingKey[], nowMs: number): boolean {
    const before = this.#keys;
    const byId = new Map([...keys, ...before].map((key) => [key.id, key]));
    const [young, old] = [[], []] as [SealingKey[], SealingKey[]];
    for (const key of [...byId.values()].toSorted((a, b) => a.madeAtMs - b.madeAtMs || (a.id < b.id ? -1 : 1))) {
      const ageMs = nowMs - key.madeAtMs;
      if (ageMs < -AHEAD_MS || ageMs >= SEALS_MS + SESSION_MS) continue;
      if (ageMs < SEALS_MS) young.push(key);
      else old.push(key);
    }
    // Half for each, so that keys that only open leave room for one that seals.
    this.#keys = [...old.slice(-MAX_SEALING_KEYS / 2), ...young.slice(0, MAX_SEALING_KEYS / 2)];
    return this.#keys.length !== before.length || this.#keys.some(({ id }, index) => id !== before[index]?.id);
  }

  /** Returns the key to seal with: the oldest that is young enough. Undefined where one has to be made. */
  current(nowMs: number): SealingKey | undefined {
    return this.#keys.find(({ madeAtMs }) => nowMs - madeAtMs < SEALS_MS);
  }

  /** Returns the key of this id. */
  find(id: string): SealingKey | undefined {
    return this.#keys.find((key) => key.id === id);
  }

  /** Returns all, the oldest first. */
  all(): SealingKey[] {
    return [...this.#keys];
  }
}
