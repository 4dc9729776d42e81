/** Pure: text of a cluster or a model for a terminal. */

/** Returns `text` without control characters but newlines: they would move the cursor, colour, or set the title. */
export function printable(text: string): string {
  return text.replaceAll('\t', ' ').replaceAll(/[^\P{Cc}\n]/gu, '');
}
