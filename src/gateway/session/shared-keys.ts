/** The sealing keys of this gateway, and those that the leader handed on from others. Never logged, never stored. */
import { randomBytes } from 'node:crypto';
import type { SealingKey } from '../../channel/messages.ts';
import { SealingKeys, type Source } from '../../channel/sealing-keys.ts';

/** A leader has heard all gateways by then, and told what they hold; it comes to a gateway that is new within the first seconds. */
const SETTLED_MS = 30_000;

export class SharedKeys {
  readonly #keys = new SealingKeys();
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();

  readonly #startedAtMs: number;
  #hasLeader = false;
  /** Not of the leader there is now: a channel that breaks again and again would leave sessions unknown for ever. */
  #firstLeaderAtMs: number | undefined;

  /** `now` returns Unix milliseconds. */
  constructor(now: () => number = () => Date.now()) {
    this.#now = now;
    this.#startedAtMs = now();
  }

  /** So many leaders are connected. */
  set leaders(count: number) {
    this.#hasLeader = count > 0;
    if (this.#hasLeader) this.#firstLeaderAtMs ??= this.#now();
  }

  /** Whether keys of other gateways may be still to come: within moments, once an operator leads, or none that matter. */
  get others(): 'known soon' | 'known later' | undefined {
    if (this.#now() - (this.#firstLeaderAtMs ?? this.#startedAtMs) < SETTLED_MS) return 'known soon';
    return this.#hasLeader ? undefined : 'known later';
  }

  /** Calls `listener` when there are others than before. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Takes keys of other gateways, which the leader told. */
  add(keys: readonly SealingKey[]): void {
    this.#take(keys, 'leader');
  }

  #take(keys: readonly SealingKey[], source: Source): void {
    if (!this.#keys.add(keys, source, this.#now())) return;
    for (const listener of this.#listeners) listener();
  }

  /** Returns the key to seal with; it is made where none is known that may seal. */
  current(): SealingKey {
    const known = this.#keys.current(this.#now());
    if (known !== undefined) return known;
    const made = makeKey(this.#now());
    this.#take([made], 'own');
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
