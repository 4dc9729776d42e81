/** Quantiles of many values, without sorting them all. */

/**
 * Returns the smallest value that a share of the values does not exceed; 0 where there are none. Puts the values into
 * another order (Hoare's quickselect).
 */
export function selectQuantile(values: Float64Array, quantile: number): number {
  const wanted = Math.max(0, Math.ceil(quantile * values.length) - 1);
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1] as number;
    let left = low;
    let right = high;
    while (left <= right) {
      while ((values[left] as number) < pivot) left++;
      while ((values[right] as number) > pivot) right--;
      if (left > right) break;
      const value = values[left] as number;
      values[left++] = values[right] as number;
      values[right--] = value;
    }
    if (wanted <= right) high = right;
    else if (wanted >= left) low = left;
    else break;
  }
  return values[wanted] ?? 0;
}
