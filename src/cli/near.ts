/** Pure: names that someone may have meant. */

/** Returns up to three of `names` that differ little from `wanted`, the nearest first. */
export function nearNames(wanted: string, names: readonly string[]): string[] {
  return names
    .map((name) => ({ name, distance: distanceOf(wanted, name) }))
    .filter(({ distance }) => distance <= Math.max(2, Math.floor(wanted.length / 3)))
    .toSorted((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** One that begins nearly as the other is near, however long it is: `lama` and `llama-3-1-8b-instruct`. */
function distanceOf(wanted: string, name: string): number {
  if (wanted !== '' && (name.startsWith(wanted) || wanted.startsWith(name))) return 1;
  const begins = [0, 1].map((more) => editDistance(wanted, name.slice(0, wanted.length + more)) + 1);
  return Math.min(editDistance(wanted, name), ...(wanted.length > 3 ? begins : []));
}

/** Levenshtein's distance: how many characters are to be inserted, removed or replaced. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, character] of Array.from(a).entries()) {
    const row = [i + 1];
    for (const [j, other] of Array.from(b).entries()) {
      const replaced = (previous[j] ?? 0) + (character === other ? 0 : 1);
      row.push(Math.min(replaced, (previous[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    }
    previous = row;
  }
  return previous.at(-1) ?? 0;
}
