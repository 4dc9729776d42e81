/** The little statistics that the bench needs. */

export interface Interval {
  mean: number;
  /** The 95 % interval of the mean; NaN from fewer than two values. */
  low: number;
  high: number;
}

/** Student's t for 95 %, both sides, by degrees of freedom from 1 on. */
const STUDENT_T = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093,
];
const NORMAL = 1.96;

/** Returns the mean; NaN of nothing. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Returns the mean of independent values and its 95 % interval by Student's t. */
export function meanWithInterval(values: readonly number[]): Interval {
  const mean = meanOf(values);
  const freedom = values.length - 1;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / freedom;
  const half = (STUDENT_T[freedom - 1] ?? NORMAL) * Math.sqrt(variance / values.length);
  return freedom < 1 ? { mean, low: NaN, high: NaN } : { mean, low: mean - half, high: mean + half };
}
