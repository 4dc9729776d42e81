/** Reading traces of requests: CSV as Azure publishes them and JSON lines as Mooncake does, gzipped or not. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { SimulatedRequest } from '../types.ts';

const CSV_COLUMNS = ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'];

/** What a line says; its time counts from any beginning. */
interface Line {
  atMs: number;
  promptTokens: number;
  outputTokens: number;
}

/**
 * Returns the requests of a trace in order of arrival, the first at 0. No tokens count as one, since every prompt and
 * every answer has at least that. Throws an Error that names the file, the line and what it should hold.
 */
export function readTrace(path: string): SimulatedRequest[] {
  const lines = textOf(path)
    .split('\n')
    .map((text, index) => ({ text: text.trim(), number: index + 1 }))
    .filter(({ text }) => text !== '');
  const [first, ...rest] = lines;
  if (first === undefined) throw new Error(`${path} is empty; give a trace with a request in each line.`);
  const parsed = first.text.startsWith('{') ? lines.map(jsonLine(path)) : rest.map(csvLine(path, first.text));
  if (parsed.length === 0) throw new Error(`${path} has a header and no request.`);
  parsed.sort((a, b) => a.atMs - b.atMs);
  const startMs = parsed[0]?.atMs ?? 0;
  return parsed.map(({ atMs, promptTokens, outputTokens }) => ({
    arrivalMs: atMs - startMs,
    promptTokens: Math.max(1, promptTokens),
    outputTokens: Math.max(1, outputTokens),
  }));
}

function textOf(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`The trace ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  if (!isGzip) return bytes.toString('utf8');
  try {
    return gunzipSync(bytes).toString('utf8');
  } catch (error) {
    throw new Error(`The trace ${path} begins like gzip and is none, or is cut off.`, { cause: error });
  }
}

type Numbered = { text: string; number: number };

function csvLine(path: string, header: string): (line: Numbered) => Line {
  const names = header.split(',').map((name) => name.trim());
  const [time, context, generated] = CSV_COLUMNS.map((name) => names.indexOf(name));
  if (
    time === undefined ||
    context === undefined ||
    generated === undefined ||
    Math.min(time, context, generated) < 0
  ) {
    throw new Error(
      `${path} is neither JSON lines nor CSV with the columns ${CSV_COLUMNS.join(', ')}: its first line is '${header.slice(0, 80)}'.`,
    );
  }
  return ({ text, number }) => {
    const cells = text.split(',').map((cell) => cell.trim());
    return {
      atMs: checked(path, number, 'TIMESTAMP like 2023-11-16 18:15:46.6805900', timestampMs(cells[time] ?? '')),
      promptTokens: checked(path, number, 'ContextTokens', tokens(cells[context])),
      outputTokens: checked(path, number, 'GeneratedTokens', tokens(cells[generated])),
    };
  };
}

/** Milliseconds of a date and time without a zone, to the hundred nanoseconds; NaN where it is none. */
function timestampMs(text: string): number {
  const [, date, time, fraction = ''] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(?:Z|\+00:?00)?$/.exec(text) ?? [];
  return Date.parse(`${date}T${time}Z`) + Number(`0${fraction}`) * 1000;
}

function jsonLine(path: string): (line: Numbered) => Line {
  return ({ text, number }) => {
    let value: Record<string, unknown>;
    try {
      value = JSON.parse(text) as Record<string, unknown>;
    } catch (error) {
      throw new Error(`${path} line ${number} is no JSON, as the lines before are.`, { cause: error });
    }
    const field = (name: string) => (typeof value[name] === 'number' ? value[name] : NaN);
    return {
      atMs: checked(path, number, 'timestamp', field('timestamp')),
      promptTokens: checked(path, number, 'input_length', tokens(field('input_length'))),
      outputTokens: checked(path, number, 'output_length', tokens(field('output_length'))),
    };
  };
}

/** NaN where it is no count. */
function tokens(value: string | number | undefined): number {
  const count = value === '' ? NaN : Number(value);
  return Number.isInteger(count) && count >= 0 ? count : NaN;
}

function checked(path: string, line: number, what: string, value: number): number {
  if (!Number.isFinite(value)) throw new Error(`${path} line ${line} has no valid ${what}.`);
  return value;
}
