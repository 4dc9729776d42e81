/** Pure: the lines of a batch's input, made of prompts or of lines that name no deployment. */
import { readCsv } from './csv.ts';

export const ENDPOINTS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'] as const;
export type BatchEndpoint = (typeof ENDPOINTS)[number];

/** Something in the input that is to be changed; `message` names the line. */
export class BadInput extends Error {
  override name = 'BadInput';
}

export interface Prompt {
  readonly text: string;
  /** Absent: made of the line's number. */
  readonly id?: string;
}

export interface LineOptions {
  readonly endpoint: BatchEndpoint;
  readonly model: string;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
}

/** Yields the prompts of a text: one a line, empty ones left out. */
export async function* promptsOfText(lines: AsyncIterable<string>): AsyncGenerator<Prompt> {
  for await (const line of lines) if (line.trim() !== '') yield { text: line.trim() };
}

/** Yields the prompts of a CSV: of its column `prompt`, with the ids of `custom_id` or `id` where it has one. */
export async function* promptsOfCsv(pieces: AsyncIterable<string>): AsyncGenerator<Prompt> {
  let columns: { prompt: number; id: number } | undefined;
  for await (const record of readCsv(pieces)) {
    if (columns === undefined) {
      const names = record.map((name) =>
        name
          .replace(/^\uFEFF/, '')
          .trim()
          .toLowerCase(),
      );
      columns = {
        prompt: names.indexOf('prompt'),
        id: names.findIndex((name) => name === 'custom_id' || name === 'id'),
      };
      if (columns.prompt === -1)
        throw new BadInput(`its first line names no column "prompt", but: ${names.join(', ')}`);
      continue;
    }
    const [text = '', id = ''] = [record[columns.prompt], record[columns.id]];
    if (text.trim() !== '') yield { text, ...(id !== '' && { id }) };
  }
}

/** Yields a line of the input for each prompt. */
export async function* linesOfPrompts(prompts: AsyncIterable<Prompt>, options: LineOptions): AsyncGenerator<string> {
  let count = 0;
  for await (const { text, id } of prompts) {
    count += 1;
    const line = {
      custom_id: id ?? `prompt-${count}`,
      method: 'POST',
      url: options.endpoint,
      body: bodyOf(text, options),
    };
    yield `${JSON.stringify(line)}\n`;
  }
  if (count === 0) throw new BadInput('it has no prompts');
}

function bodyOf(text: string, { endpoint, model, system, maxTokens, temperature }: LineOptions): object {
  if (endpoint === '/v1/embeddings') return { model, input: text };
  const common = {
    model,
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(temperature !== undefined && { temperature }),
  };
  if (endpoint === '/v1/completions') return { ...common, prompt: text };
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: text },
  ];
  return { ...common, messages };
}

/** Yields these lines with `model` as the deployment of each. */
export async function* linesFor(lines: AsyncIterable<string>, model: string): AsyncGenerator<string> {
  let number = 0;
  for await (const text of lines) {
    number += 1;
    if (text.trim() === '') continue;
    const line = parseLine(text, number);
    yield `${JSON.stringify({ ...line, body: { ...(line.body as object), model } })}\n`;
  }
}

/** Returns the endpoint that the first line of an input names. Throws BadInput where it names none. */
export function endpointOf(line: string): BatchEndpoint {
  const { url } = parseLine(line, 1);
  const found = ENDPOINTS.find((endpoint) => endpoint === url);
  if (found !== undefined) return found;
  throw new BadInput(`line 1 has the url ${JSON.stringify(url)}, which is none of ${ENDPOINTS.join(', ')}`);
}

function parseLine(text: string, number: number): { url?: unknown; body?: unknown } {
  try {
    const line: unknown = JSON.parse(text);
    if (typeof line === 'object' && line !== null && !Array.isArray(line)) return line;
  } catch {
    // Said below.
  }
  throw new BadInput(`line ${number} is no JSON object`);
}
