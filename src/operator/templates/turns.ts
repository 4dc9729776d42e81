/** Whose turn it is to take a newer pod template by itself: of each profile one deployment, until it has settled. */
import { objectKey, parseKey, type ObjectReference } from '../../kube/types.ts';
import type { Standing } from './plan-template.ts';

/**
 * Knows what the passes of this term have noted. After a take the mark in the revision says the same, for the next leader
 * (restore-turns.ts); here it is known at once, without a search among all deployments of the profile.
 */
export class Turns {
  readonly #wake: (ref: ObjectReference) => void;
  /** The profile whose turn a deployment holds, or waits for, by the deployment's key. */
  readonly #holders = new Map<string, string>();
  readonly #waiting = new Map<string, string>();

  /** Calls `wake` with a deployment that waited and may ask again. */
  constructor(wake: (ref: ObjectReference) => void) {
    this.#wake = wake;
  }

  /** Returns whether no other deployment of `profile` holds its turn. */
  isFree(ref: ObjectReference, profile: string): boolean {
    const own = objectKey(ref);
    return ![...this.#holders].some(([key, held]) => held === profile && key !== own);
  }

  /** Takes note of how a pass found the deployment. Where a turn is over, the next that waits for it is woken. */
  note(ref: ObjectReference, profile: string, standing: Standing): void {
    const key = objectKey(ref);
    const former = this.#holders.get(key) ?? this.#waiting.get(key);
    this.#holders.delete(key);
    // One that goes on waiting keeps its place.
    if (standing !== 'waits' || former !== profile) this.#waiting.delete(key);
    if (standing === 'holds') this.#holders.set(key, profile);
    if (standing === 'waits') this.#waiting.set(key, profile);
    this.#wakeNext(profile);
    if (former !== undefined && former !== profile) this.#wakeNext(former);
  }

  /** The deployment is gone. */
  forget(ref: ObjectReference): void {
    const key = objectKey(ref);
    const profile = this.#holders.get(key) ?? this.#waiting.get(key);
    if (profile !== undefined) this.note(ref, profile, 'none');
  }

  #wakeNext(profile: string): void {
    if ([...this.#holders.values()].includes(profile)) return;
    const next = [...this.#waiting].find(([, wanted]) => wanted === profile)?.[0];
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#wake(parseKey(next));
  }
}
