/** What the gateway must know of a stream's events. All of it is found by searching for bytes: no event is parsed. */
export interface Inspection {
  /** The part that may go to the client. */
  readonly pass: Buffer;
  /** `done`: [DONE] is in it. `aborted` and `error`: the engine gave up, and the event that says so is not in `pass`. */
  readonly end?: 'done' | 'aborted' | 'error';
  /** With `error`: the event's data. */
  readonly error?: Buffer;
}

const LF = 0x0a;
const DONE = ['data: [DONE]', 'data:[DONE]'];
const ERROR = ['data: {"error":', 'data:{"error":', 'data: {"error" :', 'data: { "error":'];
// Only an engine's own field has unescaped quotes; a text that contains these words has backslashes in them.
const ABORTED = ['"finish_reason":"abort"', '"finish_reason": "abort"'];

/** One of these stands in everything that is looked for below, and in hardly anything else. */
const SIGNS = ['[DONE]', '"error"', '"abort"'];

/**
 * Looks through whole events of an engine's stream; `text` is the same bytes as latin1. A search in a string costs a tenth of
 * one in a buffer, and this runs for every token.
 */
export function inspectEvents(events: Buffer, text: string): Inspection {
  if (!SIGNS.some((sign) => text.includes(sign))) return { pass: events };
  const error = firstLineWith(events, ERROR);
  if (error !== -1) {
    const lineEnd = events.indexOf(LF, error);
    const line = events.subarray(error, lineEnd === -1 ? events.length : lineEnd);
    return { pass: events.subarray(0, error), end: 'error', error: line.subarray('data:'.length) };
  }
  for (const pattern of ABORTED) {
    const hit = events.indexOf(pattern);
    if (hit !== -1) return { pass: events.subarray(0, events.lastIndexOf(LF, hit) + 1), end: 'aborted' };
  }
  return firstLineWith(events, DONE) === -1 ? { pass: events } : { pass: events, end: 'done' };
}

/** Returns where the first line begins that begins with one of the patterns; -1 where none does. */
function firstLineWith(bytes: Buffer, patterns: readonly string[]): number {
  for (const pattern of patterns) {
    for (let hit = bytes.indexOf(pattern); hit !== -1; hit = bytes.indexOf(pattern, hit + 1)) {
      if (hit === 0 || bytes[hit - 1] === LF) return hit;
    }
  }
  return -1;
}

/** Tells whether an answer that was not streamed says that the engine aborted it. */
export function saysAborted(bytes: Buffer): boolean {
  return ABORTED.some((pattern) => bytes.includes(pattern));
}
