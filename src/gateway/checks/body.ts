import { isUtf8 } from 'node:buffer';
import { malformedJson, malformedRequest, missingModel, invalidValue } from '../errors.ts';

export type Body = Readonly<Record<string, unknown>>;

/**
 * Returns the JSON object of a request.
 * The engine gets these very bytes, so what it could read in another way is refused: bytes that are not UTF-8.
 * @throws GatewayError 400
 */
export function parseBody(bytes: Buffer | undefined): Body {
  if (bytes === undefined || !isUtf8(bytes)) throw malformedJson();
  if (bytes.length > LARGE_BODY && isIntricate(bytes))
    throw malformedRequest('The body has too many lists, objects and values. Send fewer messages or parts at once.');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw malformedJson();
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformedJson();
  return value as Body;
}

/** Below it even the worst JSON is parsed in some 10 ms. */
const LARGE_BODY = 256 * 1024;
/** Brackets and commas outside of strings. A long prompt has few; megabytes of them stop every stream for a second. */
const MOST_SIGNS = 200_000;
const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, OPEN_OBJECT] = [...Buffer.from('"\\,[{')];

function isIntricate(bytes: Buffer): boolean {
  let signs = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (inString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === COMMA || byte === OPEN_LIST || byte === OPEN_OBJECT) {
      signs += 1;
      if (signs > MOST_SIGNS) return true;
    }
  }
  return false;
}

/** Returns the model that a request names. @throws GatewayError 400 */
export function modelOf(body: Body): string {
  const { model } = body;
  if (model === undefined || model === null || model === '') throw missingModel();
  if (typeof model !== 'string') throw invalidValue('model', 'must be a string.');
  return model;
}
