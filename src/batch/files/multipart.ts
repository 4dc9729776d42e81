/** Reading a form of one file and some short fields, in any order, as it comes in. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { malformedForm, notAForm } from '../errors.ts';

const LIMITS = { fields: 16, fieldSize: 1024, files: 1, headerPairs: 20, headerSize: 8192 };

export type Fields = ReadonlyMap<string, string>;

export interface Form<T> {
  readonly fields: Fields;
  /** What `onFile` returned; undefined where no file came. */
  readonly file: T | undefined;
}

/**
 * Reads a form to its end. `onFile` is given the file named `file` as it comes in, and the fields before it; it must read it
 * all or throw. Throws GatewayError for what is no such form, and what `source` or `onFile` throws; the file's stream breaks
 * off with that error too.
 */
export async function readForm<T>(
  source: AsyncIterable<Uint8Array>,
  headers: IncomingHttpHeaders,
  onFile: (content: Readable, filename: string, fieldsBefore: Fields) => Promise<T>,
): Promise<Form<T>> {
  const parser = parserOf(headers);
  const fields = new Map<string, string>();
  let content: Readable | undefined;
  let file: Promise<T> | undefined;
  parser.on('field', (name, value, _, truncated) => {
    if (truncated) parser.destroy(malformedForm(`a field has more than ${LIMITS.fieldSize} bytes.`));
    fields.set(name, value);
  });
  parser.on('file', (name, stream, filename) => {
    // The parser may break it off when nobody reads it any more.
    stream.on('error', () => undefined);
    if (name !== 'file') {
      stream.resume();
      parser.destroy(malformedForm('the file must be in the field "file".'));
      return;
    }
    content = stream;
    file = onFile(stream, filename ?? '', new Map(fields));
    file.catch((error: unknown) => parser.destroy(error as Error));
  });
  parser.on('filesLimit', () => parser.destroy(malformedForm('it must have exactly one file.')));
  parser.on('fieldsLimit', () => parser.destroy(malformedForm(`it has more than ${LIMITS.fields} fields.`)));
  try {
    await pipeline(source, parser);
  } catch (error) {
    content?.destroy(error as Error);
    // Whoever writes the file has given it up before the client hears of it.
    await file?.catch(() => undefined);
    throw isParserError(error) ? malformedForm('it ends too early, or a boundary is missing.') : error;
  }
  return { fields, file: await file };
}

/** Parts named `file` are files, whatever else their head says. */
function parserOf(headers: IncomingHttpHeaders): BusboyInstance {
  const { 'content-type': contentType } = headers;
  if (contentType === undefined || !/^multipart\/form-data\s*;/i.test(contentType)) throw notAForm();
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': contentType },
      limits: LIMITS,
      isPartAFile: (name, _, filename) => filename !== undefined || name === 'file',
    });
  } catch {
    throw notAForm();
  }
}

/** The parser throws plain Errors of its own; what others throw is of a class, or has a code. */
function isParserError(error: unknown): boolean {
  return error instanceof Error && error.name === 'Error' && !('code' in error);
}
