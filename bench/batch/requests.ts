/** The input file of the bench: so many requests of one size, different in their texts, the same for the same numbers. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

const WORDS =
  'the sea is wide and deep a ship goes out at dawn with its sails set for islands that nobody has seen yet'.split(' ');

export interface RequestShape {
  /** What the requests name as their model. */
  readonly model: string;
  /** Of a whole line, without its newline. */
  readonly lineBytes: number;
  readonly answerTokens: number;
}

/** Returns the body of request `number`, counted from 0. */
export function bodyOf(number: number, { model, lineBytes, answerTokens }: RequestShape): string {
  const body = (content: string): string =>
    JSON.stringify({ model, messages: [{ role: 'user', content }], max_tokens: answerTokens, ignore_eos: true });
  const missing = lineBytes - lineOf(number, body('')).length;
  let text = '';
  for (let word = number; text.length < missing; word += 1 + (number % 7)) text += `${WORDS[word % WORDS.length]} `;
  return body(text.slice(0, Math.max(0, missing)));
}

function lineOf(number: number, body: string): string {
  return `{"custom_id":"request-${number}","method":"POST","url":"/v1/chat/completions","body":${body}}`;
}

/** Writes the input file with so many requests. */
export async function writeInput(path: string, count: number, shape: RequestShape): Promise<void> {
  await pipeline(function* lines() {
    for (let number = 0; number < count; number += 1) yield `${lineOf(number, bodyOf(number, shape))}\n`;
  }, createWriteStream(path));
}
