/** Pure: how many tokens per second the engines of each deployment make, by what the scaler hears of them. */
import type { EngineSample } from '../../autoscaler/observation.ts';

/** Over so long: a minute of few requests is not the price of the hour. */
const WINDOW_MS = 120_000;
/** A rate over less than this says little. */
const LEAST_MS = 30_000;
/** The scaler looks every 5 s at what is active; of what is at rest nothing is known, and no price follows from it. */
const FRESH_MS = 15_000;

interface Heard {
  atMs: number;
  tokens: number;
}

export class TokenRates {
  /** By UID of the deployment, oldest first; only of those that were heard of within the window. */
  readonly #heard = new Map<string, { sinceMs: number; samples: Heard[] }>();

  /** Takes in what the engines of a deployment did since the last call. `nowMs` never goes back, here and below. */
  note(uid: string, engines: readonly Pick<EngineSample, 'generatedTokens'>[], nowMs: number): void {
    const entry = this.#heard.get(uid) ?? { sinceMs: nowMs, samples: [] };
    const tokens = engines.reduce((sum, { generatedTokens }) => sum + generatedTokens, 0);
    entry.samples.push({ atMs: nowMs, tokens });
    while ((entry.samples[0]?.atMs ?? nowMs) <= nowMs - WINDOW_MS) entry.samples.shift();
    this.#heard.set(uid, entry);
  }

  /**
   * Returns the tokens per second of the last two minutes, or of what was heard of them; undefined where that is too
   * little, or none was made.
   */
  perSecond(uid: string, nowMs: number): number | undefined {
    const entry = this.#heard.get(uid);
    if (entry === undefined) return undefined;
    const recent = entry.samples.filter(({ atMs }) => atMs > nowMs - WINDOW_MS);
    const last = recent.at(-1);
    if (last === undefined) this.#heard.delete(uid);
    if (last === undefined || nowMs - last.atMs > FRESH_MS) return undefined;
    const spanMs = Math.min(nowMs - entry.sinceMs, WINDOW_MS);
    const tokens = recent.reduce((sum, one) => sum + one.tokens, 0);
    return spanMs < LEAST_MS || tokens === 0 ? undefined : tokens / (spanMs / 1_000);
  }

  forget(uid: string): void {
    this.#heard.delete(uid);
  }
}
