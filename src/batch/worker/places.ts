/** Which batches have their requests sent at a time: those of one deployment must not keep all others from it. */
import type { DeploymentName } from '../gateway.ts';

/** Of each the ids of its requests are in memory. */
const MOST = 16;
/** From half of the places on a deployment gets no more than these. */
const FOR_EACH = 2;
/** With those for deployments that have none: others whose requests never come to an answer keep theirs for a day. */
const MOST_IN_ALL = 32;

export class Places {
  #taken = 0;
  /** By deployment. */
  readonly #takenOf = new Map<string, number>();

  isFree(deployment: DeploymentName): boolean {
    const own = this.#takenOf.get(keyOf(deployment)) ?? 0;
    if (this.#taken >= MOST) return own === 0 && this.#taken < MOST_IN_ALL;
    return this.#taken < MOST / 2 || own < FOR_EACH;
  }

  /** Returns what gives the place back; undefined where none is free. */
  take(deployment: DeploymentName): (() => void) | undefined {
    if (!this.isFree(deployment)) return undefined;
    this.#add(deployment, 1);
    return () => this.#add(deployment, -1);
  }

  #add(deployment: DeploymentName, count: number): void {
    const key = keyOf(deployment);
    this.#taken += count;
    const own = (this.#takenOf.get(key) ?? 0) + count;
    if (own === 0) this.#takenOf.delete(key);
    else this.#takenOf.set(key, own);
  }
}

function keyOf({ namespace, name }: DeploymentName): string {
  return `${namespace}/${name}`;
}
