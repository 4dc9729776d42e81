/** What a batch's input file must be, with OpenAI's codes for what is wrong with it. */
import { isUtf8 } from 'node:buffer';
import type { InputLine } from './input.ts';
import { LineIndex } from './line-index.ts';

/** OpenAI's bound. */
export const MOST_REQUESTS = 50_000;

/** Ids are kept in memory and repeated with each result; OpenAI names no bound. */
const MOST_ID_CHARACTERS = 512;
/** All together, in UTF-8: a process holds them for each batch that it runs, up to three times over. */
const MOST_ID_BYTES = 8 * 1024 * 1024;
/** Of a name in a message: two such names and their sentence fit into the 512 characters that the resource has for it. */
const MOST_QUOTED = 120;
/** More than any name with its namespace and adapter has; the status holds as many. */
const MOST_MODEL_CHARACTERS = 256;

export interface InputError {
  readonly code: string;
  readonly message: string;
  readonly param?: string;
  /** The first line is 1. */
  readonly line?: number;
}

export interface InputRules {
  /** The url that every line must name. */
  readonly endpoint: string;
  /** Most bytes of one line. */
  readonly lineBytes: number;
  /** Returns whether the model exists for the batch's key; asked once a batch. */
  readonly modelExists: (model: string) => Promise<boolean>;
}

/** An input that is good. */
export interface GoodInput {
  readonly lines: LineIndex;
  readonly model: string;
}

interface Request {
  readonly customId: string | undefined;
  readonly model: string | undefined;
  readonly errors: readonly InputError[];
}

/** Yields everything that is wrong with the lines, and returns what they are where nothing is. */
export async function* validateInput(
  input: AsyncIterable<InputLine>,
  rules: InputRules,
): AsyncGenerator<InputError, GoodInput | undefined> {
  const lines = new LineIndex();
  const ids = new Ids();
  let model: { name: string; exists: boolean } | undefined;
  let good = true;
  let requests = 0;
  for await (const line of input) {
    requests += 1;
    if (requests > MOST_REQUESTS) {
      yield { code: 'too_many_requests', message: `The file has more than ${MOST_REQUESTS} requests. Split it.` };
      return undefined;
    }
    const request = checkLine(line, rules);
    const errors = [...request.errors];
    const { customId } = request;
    if (request.model !== undefined) {
      model ??= { name: request.model, exists: await rules.modelExists(request.model) };
      errors.push(...modelErrors(request.model, model));
    }
    if (customId !== undefined) errors.push(...ids.note(customId, line.number));
    for (const error of errors) yield { ...error, line: line.number };
    if (ids.bytes > MOST_ID_BYTES) return undefined;
    good &&= errors.length === 0;
    if (good && customId !== undefined) lines.add(line.offset, line.length, customId);
  }
  if (requests === 0) {
    yield { code: 'empty_file', message: 'The file has no requests. Write one request a line.' };
    return undefined;
  }
  return good && model !== undefined ? { lines, model: model.name } : undefined;
}

/** The ids of the lines so far. */
class Ids {
  readonly #firstUse = new Map<string, number>();
  bytes = 0;

  /** Returns what is wrong with the id of line `number`. */
  note(customId: string, number: number): InputError[] {
    const usedAt = this.#firstUse.get(customId);
    if (usedAt !== undefined) return [duplicate(customId, usedAt)];
    this.#firstUse.set(customId, number);
    this.bytes += Buffer.byteLength(customId);
    if (this.bytes <= MOST_ID_BYTES) return [];
    const message = `The custom_ids have more than ${MOST_ID_BYTES} bytes together. Write shorter ones, or split the file.`;
    return [{ code: 'invalid_value', message, param: 'custom_id' }];
  }
}

function modelErrors(name: string, model: { name: string; exists: boolean }): InputError[] {
  if (name !== model.name) {
    const message = `The model is ${quote(name)}, and that of the lines before is ${quote(model.name)}. Make a batch for each.`;
    return [{ code: 'mismatched_model', message, param: 'body.model' }];
  }
  if (model.exists) return [];
  return [notFound(name)];
}

function notFound(model: string): InputError {
  const message = `The model ${quote(model)} does not exist or the key has no access to it.`;
  return { code: 'model_not_found', message, param: 'body.model' };
}

function duplicate(customId: string, usedAt: number): InputError {
  const message = `The custom_id ${quote(customId)} is that of line ${usedAt} already.`;
  return { code: 'duplicate_custom_id', message, param: 'custom_id' };
}

/** Returns what one line asks for, and what is wrong with it by itself. */
function checkLine({ bytes, length }: InputLine, rules: InputRules): Request {
  const wrong = (error: InputError): Request => ({ customId: undefined, model: undefined, errors: [error] });
  if (bytes === undefined) {
    const message = `The line has ${length} bytes; at most ${rules.lineBytes} are allowed.`;
    return wrong({ code: 'request_too_large', message });
  }
  const line = parseObject(bytes);
  if (line === undefined) {
    return wrong({ code: 'invalid_json_line', message: 'The line is not a JSON object in UTF-8.' });
  }
  const errors: InputError[] = [];
  const customId = checkId(line.custom_id, errors);
  checkRoute(line, rules.endpoint, errors);
  const model = checkBody(line.body, errors);
  return { customId, model, errors };
}

function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkId(value: unknown, errors: InputError[]): string | undefined {
  if (value === undefined || value === null || value === '') {
    errors.push(missing('custom_id'));
    return undefined;
  }
  if (typeof value !== 'string') {
    errors.push({ code: 'invalid_type', message: 'custom_id must be a string.', param: 'custom_id' });
    return undefined;
  }
  if (value.length > MOST_ID_CHARACTERS) {
    const message = `custom_id must have at most ${MOST_ID_CHARACTERS} characters.`;
    errors.push({ code: 'invalid_value', message, param: 'custom_id' });
    return undefined;
  }
  return value;
}

function checkRoute(line: Record<string, unknown>, endpoint: string, errors: InputError[]): void {
  if (line.method === undefined) errors.push(missing('method'));
  else if (line.method !== 'POST') {
    errors.push({ code: 'invalid_method', message: 'method must be POST.', param: 'method' });
  }
  if (line.url === undefined) errors.push(missing('url'));
  else if (line.url !== endpoint) {
    errors.push({ code: 'invalid_url', message: `url must be the batch's endpoint, ${endpoint}.`, param: 'url' });
  }
}

function checkBody(body: unknown, errors: InputError[]): string | undefined {
  if (body === undefined) {
    errors.push(missing('body'));
    return undefined;
  }
  if (!isObject(body)) {
    errors.push({ code: 'invalid_type', message: 'body must be a JSON object.', param: 'body' });
    return undefined;
  }
  if (body.stream === true) {
    const message = 'A batch has no streams. Leave stream out.';
    errors.push({ code: 'streaming_unsupported', message, param: 'body.stream' });
  }
  if (typeof body.model === 'string' && body.model.length > MOST_MODEL_CHARACTERS) {
    errors.push(notFound(body.model));
    return undefined;
  }
  if (typeof body.model === 'string' && body.model !== '') return body.model;
  errors.push(missing('body.model'));
  return undefined;
}

function missing(param: string): InputError {
  return { code: 'missing_required_parameter', message: `The line has no ${param}.`, param };
}

/** Escapes make a name up to six times as long, so that it is cut after them. */
function quote(name: string): string {
  const quoted = JSON.stringify(name.slice(0, MOST_QUOTED));
  return quoted.length > MOST_QUOTED || name.length > MOST_QUOTED ? `${quoted.slice(0, MOST_QUOTED)}…"` : quoted;
}
