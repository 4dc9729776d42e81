/** Reads a streamed answer as an OpenAI client does and judges whether it is whole. */
import { StringDecoder } from 'node:string_decoder';

/** An event longer than this is not one of a completion; without a bound a broken stream would fill the memory. */
const MAX_EVENT_CHARACTERS = 1024 * 1024;

interface Chunk {
  error?: unknown;
  choices?: { finish_reason?: string | null }[];
}

/** Returns `code`, or else `type`, of the `error` of an OpenAI error body; undefined when it is none. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, type } = error as Record<string, unknown>;
  if (typeof code === 'string' || typeof code === 'number') return String(code);
  return typeof type === 'string' ? type : undefined;
}

export class StreamReader {
  readonly #decoder = new StringDecoder('utf8');
  #pending = '';
  #done = false;
  #finished = false;
  #fault: { reason: string; message: string } | undefined;

  /** Takes what has arrived; returns how many events with data it completes. Comments are none. */
  push(bytes: Buffer): number {
    // Normalized as a whole: a line end of two characters may come in two pieces.
    const events = (this.#pending + this.#decoder.write(bytes)).replaceAll('\r\n', '\n').split('\n\n');
    this.#pending = events.pop() ?? '';
    if (this.#pending.length > MAX_EVENT_CHARACTERS) {
      this.#fail('endless event', `an event is longer than ${MAX_EVENT_CHARACTERS} characters`);
      this.#pending = '';
    }
    let count = 0;
    for (const event of events) {
      const lines = event.split('\n').filter((line) => line.startsWith('data:'));
      if (lines.length === 0) continue;
      count += 1;
      this.#read(lines.map((line) => line.slice('data:'.length).trimStart()).join('\n'));
    }
    return count;
  }

  /** Returns why the stream, which has ended, was cut; undefined when it is whole. */
  verdict(): { reason: string; message: string } | undefined {
    if (this.#fault !== undefined) return this.#fault;
    if (!this.#done) return { reason: 'no [DONE]', message: 'the stream ended without [DONE]' };
    if (!this.#finished) return { reason: 'no finish_reason', message: '[DONE] came without a finish_reason' };
    return undefined;
  }

  #fail(reason: string, message: string): void {
    this.#fault ??= { reason, message };
  }

  #read(data: string): void {
    if (data === '[DONE]') {
      this.#done = true;
      return;
    }
    if (this.#done) this.#fail('data after [DONE]', data.slice(0, 200));
    let chunk: Chunk;
    try {
      chunk = JSON.parse(data) as Chunk;
    } catch {
      this.#fail('not JSON', data.slice(0, 200));
      return;
    }
    if (chunk.error !== undefined && chunk.error !== null) {
      this.#fail(`error event ${errorCode(chunk.error) ?? 'without a code'}`, data.slice(0, 500));
    }
    for (const { finish_reason: reason } of chunk.choices ?? []) {
      if (reason === 'abort') this.#fail('finish_reason abort', data.slice(0, 200));
      if (typeof reason === 'string') this.#finished = true;
    }
  }
}
