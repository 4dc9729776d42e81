/** The body of POST /batches. */
import type { InferenceBatchSpec } from '../../api/generated/inference-batch.ts';
import {
  badRequest,
  integerOutside,
  missingParameter,
  stringTooLong,
  tooManyProperties,
  unsupportedValue,
  wrongType,
} from '../errors.ts';
import { isFileId, LIFETIME_SECONDS } from '../files/file-object.ts';

const ENDPOINTS = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'] as const;
const WINDOWS = ['24h'] as const;
/** OpenAI's bounds of metadata; those of lengths in characters. */
const METADATA = { properties: 16, name: 64, value: 512 };

type Json = Readonly<Record<string, unknown>>;

/** Returns the spec of the batch that the body asks for, but for its key. Throws GatewayError for what is wrong. */
export function readCreateRequest(body: unknown): Omit<InferenceBatchSpec, 'apiKey'> {
  if (!isObject(body)) throw badRequest('invalid_type', 'The body must be a JSON object.');
  const metadata = readMetadata(body['metadata']);
  const outputExpiresAfterSeconds = readExpiry(body['output_expires_after']);
  return {
    inputFileId: readFileId(body),
    endpoint: readChoice(body, 'endpoint', ENDPOINTS),
    completionWindow: readChoice(body, 'completion_window', WINDOWS),
    ...(metadata !== undefined && { metadata }),
    ...(outputExpiresAfterSeconds !== undefined && { outputExpiresAfterSeconds }),
  };
}

/** A file that does not exist is found by the batch, as OpenAI does; what is no id of a file is refused here. */
function readFileId(body: Json): string {
  const id = readString(body, 'input_file_id');
  if (isFileId(id)) return id;
  const message = `Invalid value: '${id.slice(0, 100)}'. Send the id that the upload answered with.`;
  throw badRequest('invalid_value', message, 'input_file_id');
}

function readChoice<T extends string>(body: Json, name: string, choices: readonly T[]): T {
  const value = readString(body, name);
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw unsupportedValue(name, value, choices);
  return found;
}

function readString(body: Json, name: string): string {
  const value = body[name];
  if (value === undefined || value === null) throw missingParameter(name);
  if (typeof value !== 'string') throw wrongType(name, 'a string', kindOf(value));
  return value;
}

function readMetadata(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw wrongType('metadata', 'an object', kindOf(value));
  const entries = Object.entries(value);
  if (entries.length > METADATA.properties) {
    throw tooManyProperties('metadata', entries.length, METADATA.properties);
  }
  const checked = entries.map(([name, text]): [string, string] => {
    const letters = Array.from(name);
    const param = `metadata.${letters.slice(0, METADATA.name).join('')}`;
    if (letters.length > METADATA.name) throw stringTooLong(param, letters.length, METADATA.name);
    if (typeof text !== 'string') throw wrongType(param, 'a string', kindOf(text));
    const { length } = Array.from(text);
    if (length > METADATA.value) throw stringTooLong(param, length, METADATA.value);
    return [name, text];
  });
  return Object.fromEntries(checked);
}

function readExpiry(value: unknown): number | undefined {
  const name = 'output_expires_after';
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw wrongType(name, 'an object', kindOf(value));
  const { anchor, seconds } = value;
  if (anchor === undefined) throw missingParameter(`${name}.anchor`);
  if (anchor !== 'created_at') throw unsupportedValue(`${name}.anchor`, JSON.stringify(anchor), ['created_at']);
  if (seconds === undefined) throw missingParameter(`${name}.seconds`);
  if (!Number.isInteger(seconds)) throw wrongType(`${name}.seconds`, 'an integer', kindOf(seconds));
  const [count, { least, most }] = [Number(seconds), LIFETIME_SECONDS];
  if (count < least || count > most) throw integerOutside(`${name}.seconds`, count, { from: least, to: most });
  return count;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns what JSON calls a value, with its article. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a decimal number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
