/** Pure: tables of text that fit a width. */

export interface Column<Row> {
  header: string;
  value: (row: Row) => string;
  /** Numbers stand at the right. */
  align?: 'right';
  /** Shown by `-o wide` only. */
  wide?: boolean;
  /** Cut to so many characters, the last an ellipsis, where the table is too wide. */
  cutTo?: number;
  /** Colours a cell; the word says the same. */
  tone?: (row: Row) => Tone | undefined;
  /** Left out where cutting does not suffice, the lowest number first; absent: never. */
  drop?: number;
}

export type Tone = 'good' | 'warning' | 'bad' | 'dim';

const TONES: Record<Tone, number> = { good: 32, warning: 33, bad: 31, dim: 2 };
const GAP = 3;

/** Returns `text` in a colour. */
export function toned(text: string, tone: Tone): string {
  return `\u001b[${TONES[tone]}m${text}\u001b[0m`;
}

/**
 * Returns the lines of a table that are at most `width` characters long: first columns with `cutTo` are cut, those that
 * are widest first, then columns are left out by `drop`, then every line is cut. Coloured where `colours` is true.
 */
export function table<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width = Infinity, colours = false }: { width?: number; colours?: boolean } = {},
): string[] {
  const shown = fitted(
    columns.map((column) => {
      const cells = [column.header, ...rows.map((row) => oneLine(column.value(row)))];
      return { column, cells, width: widest(cells) };
    }),
    width,
  );
  const fits = totalWidth(shown) <= width;
  return Array.from({ length: rows.length + 1 }, (_, line) => {
    const row = colours && fits ? rows[line - 1] : undefined;
    const text = shown.map((one) => cell(one, line, row)).join(' '.repeat(GAP));
    return fits ? text.trimEnd() : cut(text.trimEnd(), width);
  });
}

function fitted<Row>(all: Shown<Row>[], width: number): Shown<Row>[] {
  let shown = all;
  for (;;) {
    shrink(shown, totalWidth(shown) - width);
    if (totalWidth(shown) <= width) return shown;
    const next = shown.filter(({ column }) => column.drop !== undefined).toSorted(byDrop)[0];
    if (next === undefined) return shown;
    shown = shown.filter((one) => one !== next).map((one) => ({ ...one, width: widest(one.cells) }));
  }
}

function totalWidth<Row>(shown: Shown<Row>[]): number {
  return shown.reduce((sum, { width }) => sum + width, GAP * (shown.length - 1));
}

function cell<Row>({ column, cells, width }: Shown<Row>, line: number, row: Row | undefined): string {
  const text = cut(cells[line] ?? '', width);
  const space = ' '.repeat(Math.max(0, width - Array.from(text).length));
  const tone = row === undefined || text === '' ? undefined : column.tone?.(row);
  const shown = tone === undefined ? text : toned(text, tone);
  return column.align === 'right' ? `${space}${shown}` : `${shown}${space}`;
}

interface Shown<Row> {
  column: Column<Row>;
  cells: string[];
  width: number;
}

function byDrop<Row>(a: Shown<Row>, b: Shown<Row>): number {
  return (a.column.drop ?? 0) - (b.column.drop ?? 0);
}

function shrink<Row>(shown: Shown<Row>[], excess: number): void {
  let left = excess;
  while (left > 0) {
    const candidates = shown.filter((one) => one.column.cutTo !== undefined && one.width > one.column.cutTo);
    const widestOne = candidates.toSorted((a, b) => b.width - a.width)[0];
    if (widestOne === undefined) return;
    const by = Math.min(left, widestOne.width - (widestOne.column.cutTo ?? 0));
    widestOne.width -= by;
    left -= by;
  }
}

/** Returns `text` in at most `width` characters, the last an ellipsis where something is missing. */
export function cut(text: string, width: number): string {
  const characters = Array.from(text);
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

function widest(cells: readonly string[]): number {
  return Math.max(0, ...cells.map((cell) => Array.from(cell).length));
}

/** What the cluster says may hold anything: control characters would move the cursor or colour the terminal. */
export function oneLine(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\p{Cc}/gu, '')
    .trim();
}
