/**
 * Returns where the value of a key of the outermost object stands in a JSON text known to be valid: [start, end).
 * As in JSON.parse the last of several equal keys counts. Undefined where there is none.
 * Used to change one value and leave all other bytes alone: parsing and writing again would round numbers above 2^53.
 */
export function topLevelValue(text: string, key: string): readonly [start: number, end: number] | undefined {
  let found: readonly [number, number] | undefined;
  let position = skipSpace(text, text.indexOf('{') + 1);
  while (text[position] === '"') {
    const keyEnd = endOfString(text, position);
    const name: unknown = JSON.parse(text.slice(position, keyEnd));
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    if (name === key) found = [start, end];
    position = skipSpace(text, end);
    if (text[position] !== ',') break;
    position = skipSpace(text, position + 1);
  }
  return found;
}

function skipSpace(text: string, from: number): number {
  let position = from;
  while (' \t\r\n'.includes(text[position] ?? '.')) position += 1;
  return position;
}

/** The position after the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return text.length;
}

const STRUCTURE = /["{}[\],]/g;

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start);
  let depth = 0;
  STRUCTURE.lastIndex = start;
  for (let match = STRUCTURE.exec(text); match !== null; match = STRUCTURE.exec(text)) {
    const { index } = match;
    const sign = text[index] ?? '';
    if (sign === '"') {
      STRUCTURE.lastIndex = endOfString(text, index);
    } else if (sign === '{' || sign === '[') {
      depth += 1;
    } else if (sign === ',') {
      if (depth === 0) return trimEnd(text, start, index);
    } else if (depth === 0) {
      return trimEnd(text, start, index);
    } else {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  return text.length;
}

function trimEnd(text: string, start: number, end: number): number {
  let position = end;
  while (position > start && ' \t\r\n'.includes(text[position - 1] ?? '.')) position -= 1;
  return position;
}
