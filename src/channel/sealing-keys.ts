/**
 * Pure: the keys that gateways seal the sessions of the page with, handed around over the load channel so that each can
 * open what another sealed. A gateway makes one when it has to seal and knows none; whoever holds several agrees with
 * all others on which to seal with, by their age alone. They are in memory only.
 */
import { MAX_SEALING_KEYS, MAX_SEALING_KEYS_OF_ONE, type SealingKey } from './messages.ts';

const HOUR_MS = 3_600_000;
/** So long a session lasts. */
export const SESSION_MS = 12 * HOUR_MS;
/** So long a key seals; then it opens what it sealed until the last session of it is over. */
const SEALS_MS = 24 * HOUR_MS;
/** Clocks differ. One made later than that would never go, or be no one's. */
const AHEAD_MS = HOUR_MS;

/** From whom a key was heard first: it was made here, or a leader told it, or the gateway of this pod UID. */
export type Source = 'own' | 'leader' | { readonly podUid: string };

interface Held {
  readonly key: SealingKey;
  readonly source: Source;
}

export class SealingKeys {
  /** By id, those that are known longest first. */
  #held = new Map<string, Held>();

  /**
   * Takes keys that another holds, or one that was made here; returns whether there are others than before. Of too many the
   * own and those that are known longest stay, whatever age the others claim. One gateway brings only so many, and of them
   * those that only open give way to those that seal.
   */
  add(keys: readonly SealingKey[], source: Source, nowMs: number): boolean {
    const before = this.#held;
    const fresh = [...before.values()].filter(({ key }) => fits(key, nowMs));
    const others = keys.filter((key) => !before.has(key.id) && fits(key, nowMs)).map((key) => ({ key, source }));
    const taken = [...fresh, ...others];
    const allowed = typeof source === 'string' ? taken : withShareOf(source.podUid, taken, nowMs);
    // Half for each, so that keys that only open leave room for one that seals.
    const left = { young: MAX_SEALING_KEYS / 2, old: MAX_SEALING_KEYS / 2 };
    const kept = [...allowed.filter(isOwn), ...allowed.filter((one) => !isOwn(one))].filter(
      ({ key }) => left[seals(key, nowMs) ? 'young' : 'old']-- > 0,
    );
    this.#held = new Map(kept.map((one) => [one.key.id, one]));
    return this.#held.size !== before.size || kept.some(({ key }) => !before.has(key.id));
  }

  /** Returns the key to seal with: the oldest that is young enough. Undefined where one has to be made. */
  current(nowMs: number): SealingKey | undefined {
    return this.all().find((key) => seals(key, nowMs));
  }

  /** Returns the key of this id. */
  find(id: string): SealingKey | undefined {
    return this.#held.get(id)?.key;
  }

  /** Returns all, the oldest first. */
  all(): SealingKey[] {
    const keys = [...this.#held.values()].map(({ key }) => key);
    return keys.toSorted((a, b) => a.madeAtMs - b.madeAtMs || (a.id < b.id ? -1 : 1));
  }
}

function fits({ madeAtMs }: SealingKey, nowMs: number): boolean {
  const ageMs = nowMs - madeAtMs;
  return ageMs >= -AHEAD_MS && ageMs < SEALS_MS + SESSION_MS;
}

function seals({ madeAtMs }: SealingKey, nowMs: number): boolean {
  return nowMs - madeAtMs < SEALS_MS;
}

function isOwn({ source }: Held): boolean {
  return source === 'own';
}

/** Returns `held` with no more of this gateway than one may bring. */
function withShareOf(podUid: string, held: readonly Held[], nowMs: number): Held[] {
  const isIts = ({ source }: Held): boolean => typeof source !== 'string' && source.podUid === podUid;
  const its = held.filter(isIts);
  const [young, old] = [its.filter(({ key }) => seals(key, nowMs)), its.filter(({ key }) => !seals(key, nowMs))];
  const share = new Set([...young, ...old].slice(0, MAX_SEALING_KEYS_OF_ONE));
  return held.filter((one) => !isIts(one) || share.has(one));
}
