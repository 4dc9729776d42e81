/** Ids whose order is the order of time: 12 hexadecimal digits of Unix milliseconds, then 20 random ones. */
import { randomBytes } from 'node:crypto';

const DIGITS = 32;
const RANDOM_BYTES = 10;
const RANDOM_BITS = 80n;

const FORM = /^[0-9a-f]{32}$/;

/** Makes ids, each greater than the one before, whatever the clock does. */
export class TimedIds {
  readonly #now: () => number;
  readonly #random: () => Uint8Array;
  #last = 0n;

  /** `now` is in Unix milliseconds; `random` returns 10 bytes. */
  constructor(now: () => number = Date.now, random: () => Uint8Array = () => randomBytes(RANDOM_BYTES)) {
    this.#now = now;
    this.#random = random;
  }

  /** Returns 32 lower-case hexadecimal digits. */
  next(): string {
    const fresh = (BigInt(this.#now()) << RANDOM_BITS) | BigInt(`0x${Buffer.from(this.#random()).toString('hex')}`);
    this.#last = fresh > this.#last ? fresh : this.#last + 1n;
    return this.#last.toString(16).padStart(DIGITS, '0');
  }
}

export function isTimedId(id: string): boolean {
  return FORM.test(id);
}

/** Returns when an id was made, in Unix milliseconds. */
export function timeOf(id: string): number {
  return Number.parseInt(id.slice(0, 12), 16);
}

/** Returns the least id of this time, in Unix milliseconds. */
export function firstIdAt(ms: number): string {
  return (BigInt(ms) << RANDOM_BITS).toString(16).padStart(DIGITS, '0');
}
