/** Pure: times as people read them. */

/** Returns the time since `since` as kubectl writes ages (`45s`, `12m`, `3h10m`, `5d`); empty where there is none. */
export function age(since: string | undefined, now: Date): string {
  if (since === undefined || Number.isNaN(Date.parse(since))) return '';
  return duration((now.getTime() - Date.parse(since)) / 1000);
}

/** Returns a duration in seconds in at most two units; a negative one, of a clock that is behind, as `0s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const;
  const first = units.findIndex(([size]) => whole >= size);
  if (first === -1) return '0s';
  const [size, unit] = units[first] ?? [1, 's'];
  const next = units[first + 1];
  const head = Math.floor(whole / size);
  const tail = next === undefined ? 0 : Math.floor((whole % size) / next[0]);
  // Beyond ten of a unit the smaller one says nothing.
  return head >= 10 || tail === 0 || next === undefined ? `${head}${unit}` : `${head}${unit}${tail}${next[1]}`;
}
