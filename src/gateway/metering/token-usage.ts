/** What an engine says of the tokens of a request. */

export interface TokenUsage {
  readonly promptTokens: number;
  /** Those of the prompt that came from the engine's cache; 0 also where it does not say. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** Unescaped quotes: a text that contains this has backslashes in it. */
const FIELD = Buffer.from('"usage":');
/** More than any usage object has. */
const MOST_BYTES = 4096;
/** More than any answer has; from a broken or hostile engine it would make sums that nobody can store. */
const MOST_TOKENS = 1_000_000_000;
/** An engine's own field of that name beside the usage is possible; many are not. */
const MOST_TRIES = 4;

/** Returns the usage in an answer that was not streamed, or in the end of one; undefined where there is none. */
export function usageOf(bytes: Buffer): TokenUsage | undefined {
  let hit = bytes.lastIndexOf(FIELD);
  for (let tries = 0; hit !== -1 && tries < MOST_TRIES; tries += 1) {
    const text = bytes.toString('latin1', hit + FIELD.length, hit + FIELD.length + MOST_BYTES);
    const span = objectAt(text, 0);
    const usage = span && parseUsage(text.slice(...span));
    if (usage !== undefined) return usage;
    // From -1 on it would search from the end again.
    hit = hit === 0 ? -1 : bytes.lastIndexOf(FIELD, hit - 1);
  }
  return undefined;
}

/** Returns the usage that a JSON object tells; undefined where it is none. */
export function parseUsage(text: string): TokenUsage | undefined {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { prompt_tokens: prompt, completion_tokens: completion = 0, prompt_tokens_details: details } = value;
  const { cached_tokens: cached = 0 } = (details ?? {}) as Record<string, unknown>;
  if (!isCount(prompt)) return undefined;
  return {
    promptTokens: prompt,
    cachedTokens: isCount(cached) ? cached : 0,
    completionTokens: isCount(completion) ? completion : 0,
  };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MOST_TOKENS;
}

const [SPACE, QUOTE, OPEN, CLOSE] = [0x20, 0x22, 0x7b, 0x7d];

/** Returns where the object stands that begins at `from` or behind spaces there: [start, end). Undefined for any other value. */
export function objectAt(text: string, from: number): readonly [start: number, end: number] | undefined {
  let start = from;
  while (text.charCodeAt(start) === SPACE) start += 1;
  if (text.charCodeAt(start) !== OPEN) return undefined;
  // Mostly there is no other in it.
  const close = text.indexOf('}', start);
  if (close === -1) return undefined;
  if (text.lastIndexOf('{', close) === start) return [start, close + 1];
  let depth = 0;
  for (let index = start; index < text.length; index += 1) {
    const sign = text.charCodeAt(index);
    if (sign === QUOTE) {
      // Names of fields: nothing in them is escaped.
      index = text.indexOf('"', index + 1);
      if (index === -1) return undefined;
    } else if (sign === OPEN) {
      depth += 1;
    } else if (sign === CLOSE) {
      depth -= 1;
      if (depth === 0) return [start, index + 1];
    }
  }
  return undefined;
}
