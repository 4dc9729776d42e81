/** Pure: how what was learned is forgotten. */

/** Returns what is left after so long of what halves in `halfLifeMs`, 0 to 1. */
export function halved(afterMs: number, halfLifeMs: number): number {
  return 0.5 ** (afterMs / halfLifeMs);
}
