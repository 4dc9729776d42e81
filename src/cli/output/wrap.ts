/** Pure: text in lines. */
import { printable } from '../printable.ts';

/** Returns `text` in lines of at most `width` characters, broken at spaces; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length > width && line !== '') {
      lines.push(line);
      line = word;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}

/** Returns `text` behind `label`, further lines below its beginning. */
export function labelled(label: string, text: string, labelWidth: number, width: number): string[] {
  const lines = wrap(printable(text), Math.max(20, width - labelWidth - 1));
  return lines.map((line, index) => `${(index === 0 ? label : '').padEnd(labelWidth)} ${line}`);
}
