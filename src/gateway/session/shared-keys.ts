/** The sealing keys of this gateway, and those that the leader handed on from others. Never logged, never stored. */
import { randomBytes } from 'node:crypto';
import type { SealingKey } from '../../channel/messages.ts';
import { SealingKeys } from '../../channel/sealing-keys.ts';

export class SharedKeys {
  readonly #keys = new SealingKeys();
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();

  /** `now` returns Unix milliseconds. */
  constructor(now: () => number = () => Date.now()) {
    this.#now = now;
  }

  /** Calls `listener` when there are others than before. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Takes keys of other gateways. */
  add(keys: readonly SealingKey[]): void {
    if (!this.#keys.add(keys, this.#now())) return;
    for (const listener of this.#listeners) listener();
  }

  /** Returns the key to seal with; it is made where none is known that may seal. */
  current(): SealingKey {
    const known = this.#keys.current(this.#now());
    if (known !== undefined) return known;
    const made = makeKey(this.#now());
    this.add([made]);
    return this.#keys.current(this.#now()) ?? made;
  }

  find(id: string): SealingKey | undefined {
    return this.#keys.find(id);
  }

  all(): SealingKey[] {
    return this.#keys.all();
  }
}

function makeKey(madeAtMs: number): SealingKey {
  return { id: randomBytes(9).toString('base64url'), madeAtMs, key: randomBytes(32).toString('base64url') };
}
