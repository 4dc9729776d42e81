/** Words and numbers as the report has them. */
import type { CellName } from './score.ts';

/** Returns the name of a cell for people; seed 0 stands for all. */
export function cellText({ workload, targetFactor, coldStartSeconds, seed }: CellName): string {
  return `${workload}, target × ${targetFactor}, cold start ${coldStartSeconds} s${seed === 0 ? '' : `, seed ${seed}`}`;
}

/** Returns a share as a percentage. */
export function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
