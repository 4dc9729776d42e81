import { hash } from 'node:crypto';

/** Tokens of one KV-cache block, as vLLM uses on GPUs. */
export const BLOCK_TOKENS = 16;

// At most four characters a word, so that generated text splits into the same tokens when a client sends it back
// as the next turn; a few beyond ASCII, so that readers of the stream meet characters of several bytes.
const WORDS = (
  'a an and are as at be but by can do even fact few for four from good have here how idea in into is it its job just ' +
  'kind last left like long look made main many mind more most move much name near need new next no not now of off on ' +
  'one only or our out over own part plan read rest same say see set show side so some sure take than that the them ' +
  'then they this time to turn two up use very view was way we well were what when will with work year you your ' +
  'naïf café über señ 日本 モデル µs → ≈ ok'
).split(' ');

const TOKEN = /<\|\w{1,40}\|>|\n|[^\S\n]*(?:(?!<\|\w{1,40}\|>)\S){1,4}|[^\S\n]+/gu;

/**
 * Splits text into tokens: marks such as <|user|>, line ends, and up to four characters with the blanks before them.
 * Joined, they give the text back. Like a real tokenizer it is deterministic, near four characters a token, and splits
 * a conversation the same way when it comes back longer by a turn.
 */
export function tokenize(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** A stable id in [0, 32000) for a token's text. */
export function tokenId(token: string): number {
  return Number.parseInt(digest(token).slice(0, 8), 16) % 32_000;
}

/** Text for token ids that no text is known for; deterministic, not the inverse of tokenId. */
export function detokenize(ids: readonly number[]): string {
  return ids.map((id) => WORDS[id % WORDS.length]).join(' ');
}

/** The token at `index` of the answer to a prompt whose digest is `seed`. */
export function answerToken(seed: string, index: number): string {
  const word = WORDS[Number.parseInt(digest(`${seed}/${index}`).slice(0, 8), 16) % WORDS.length] ?? 'a';
  return index === 0 ? word : ` ${word}`;
}

/** How long the model would speak if nothing limited it: between half and one and a half times `mean`, at least 1. */
export function answerLength(seed: string, mean: number): number {
  const fraction = Number.parseInt(digest(`${seed}/length`).slice(0, 8), 16) / 0xffffffff;
  return Math.max(1, Math.round(mean * (0.5 + fraction)));
}

/** Hex digest that seeds everything deterministic about an answer. */
export function digest(text: string): string {
  return hash('sha1', text);
}

/** Digest of a full block that covers all tokens before it too, so that equal digests mean equal prefixes. */
export function blockHash(previous: string | undefined, tokens: readonly string[]): string {
  return digest(`${previous ?? ''}\u0000${tokens.join('\u0001')}`);
}
