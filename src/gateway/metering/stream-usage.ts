import type { ShownUsage } from './stream-options.ts';
import { objectAt, parseUsage, type TokenUsage } from './token-usage.ts';

// Only an engine's own fields have unescaped quotes; a text that contains these words has backslashes in them.
const USAGE = '"usage":';
const CHOICES = '"choices":';
const INDEX = '"index":';
/** As many as a request may ask for: an engine that makes up others is not to fill the memory. */
const MOST_CHOICES = 2048;
const [LF, CR, SPACE, COMMA, ZERO, OPEN_LIST, CLOSE_LIST] = [0x0a, 0x0d, 0x20, 0x2c, 0x30, 0x5b, 0x5d];

/** Where something stands in a text: [start, end). */
type Span = readonly [start: number, end: number];

/**
 * The usage in a stream of which each event tells the tokens so far (`continuous_usage_stats`), as vLLM does: of the event's
 * choice, and in a last event without choices of the whole. It is read by searching for bytes, for each token, and taken out
 * where the client did not ask for it.
 */
export class StreamUsage {
  readonly #shown: ShownUsage;
  readonly #choicesPerPrompt: number;
  /** What was said last of each choice; parsed when somebody asks. */
  readonly #latest = new Map<number, string>();
  #whole: TokenUsage | undefined;

  constructor(options: { shown: ShownUsage; choicesPerPrompt: number }) {
    this.#shown = options.shown;
    this.#choicesPerPrompt = options.choicesPerPrompt;
  }

  /** The tokens of the events so far; undefined where none told any. Of prompts without a token yet nothing is known. */
  get usage(): TokenUsage | undefined {
    if (this.#whole !== undefined) return this.#whole;
    if (this.#latest.size === 0) return undefined;
    const prompts = new Map<number, TokenUsage>();
    let completionTokens = 0;
    for (const [index, text] of this.#latest) {
      const told = parseUsage(text);
      if (told === undefined) continue;
      completionTokens += told.completionTokens;
      // The choices of one prompt share it.
      prompts.set(Math.floor(index / this.#choicesPerPrompt), told);
    }
    let [promptTokens, cachedTokens] = [0, 0];
    for (const told of prompts.values()) {
      promptTokens += told.promptTokens;
      cachedTokens += told.cachedTokens;
    }
    return { promptTokens, cachedTokens, completionTokens };
  }

  /**
   * Takes whole events, and the same bytes as a text of latin1; returns them, in the same memory, without what the client
   * did not ask for.
   */
  take(events: Buffer, text: string): Buffer {
    let [from, kept] = [0, 0];
    for (let hit = text.indexOf(USAGE); hit !== -1; hit = text.indexOf(USAGE, hit + USAGE.length)) {
      const value = objectAt(text, hit + USAGE.length);
      if (value === undefined) continue;
      const line = text.lastIndexOf('\n', hit) + 1;
      const choices = startOfChoices(text, line, hit);
      const cut =
        choices === undefined
          ? this.#takeWhole(text, value, line)
          : this.#takeOfChoice(text, [hit, value[1]], { value, choices });
      if (cut === undefined) continue;
      if (from > 0) events.copyWithin(kept, from, cut[0]);
      kept += cut[0] - from;
      from = cut[1];
    }
    if (from === 0) return events;
    events.copyWithin(kept, from);
    return events.subarray(0, kept + events.length - from);
  }

  /** The event without choices; returns what of it is to be cut. */
  #takeWhole(text: string, value: Span, line: number): Span | undefined {
    this.#whole = parseUsage(text.slice(...value)) ?? this.#whole;
    return this.#shown === 'none' ? [line, endOfEvent(text, value[1])] : undefined;
  }

  #takeOfChoice(text: string, field: Span, { value, choices }: { value: Span; choices: number }): Span | undefined {
    const index = text.indexOf(INDEX, choices);
    const choice = index === -1 || index > field[0] ? 0 : wholeNumberAt(text, index + INDEX.length);
    if (choice < MOST_CHOICES) this.#latest.set(choice, text.slice(...value));
    return this.#shown === 'each' ? undefined : withComma(text, field);
  }
}

/** Returns where the first choice of the event stands; undefined where it has none. `line` is its line's start. */
function startOfChoices(text: string, line: number, usage: number): number | undefined {
  const found = text.indexOf(CHOICES, line);
  const lineEnd = text.indexOf('\n', usage);
  if (found === -1 || (lineEnd !== -1 && found > lineEnd)) return usage;
  const list = skipSpaces(text, found + CHOICES.length);
  if (text.charCodeAt(list) !== OPEN_LIST) return usage;
  const first = skipSpaces(text, list + 1);
  return text.charCodeAt(first) === CLOSE_LIST ? undefined : first;
}

function wholeNumberAt(text: string, from: number): number {
  let value = 0;
  for (let position = skipSpaces(text, from); ; position += 1) {
    const digit = text.charCodeAt(position) - ZERO;
    if (!(digit >= 0 && digit <= 9)) return value;
    value = value * 10 + digit;
  }
}

function skipSpaces(text: string, from: number): number {
  let position = from;
  while (text.charCodeAt(position) === SPACE) position += 1;
  return position;
}

/** Returns the position behind the empty line that ends the event. */
function endOfEvent(text: string, from: number): number {
  const lineEnd = text.indexOf('\n', from);
  if (lineEnd === -1) return text.length;
  const next = text.charCodeAt(lineEnd + 1);
  if (next === LF) return lineEnd + 2;
  return next === CR ? lineEnd + 3 : lineEnd + 1;
}

/** Returns the field with the comma before it, or where it is the first with the one behind it. */
function withComma(text: string, [start, end]: Span): Span {
  let before = start - 1;
  while (text.charCodeAt(before) === SPACE) before -= 1;
  if (text.charCodeAt(before) === COMMA) return [before, end];
  const after = skipSpaces(text, end);
  return text.charCodeAt(after) === COMMA ? [start, after + 1] : [start, end];
}
