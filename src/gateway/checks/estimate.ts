import type { Body } from './body.ts';

/** Bytes of JSON to a token of a prompt, roughly: what texts of most languages come to. */
const BYTES_PER_TOKEN = 4;
/** Tokens of an answer whose length the client left open. */
const USUAL_ANSWER = 256;
/** A limit is the client's claim, and most answers stay far below it: beyond this it says nothing about the work to come. */
const LONG_ANSWER = 1024;
/** One request must not make its replica look full for everybody else. */
const MOST_TOKENS = 65_536;

/** Returns about how many tokens, of prompt and answers, a request will occupy. */
export function estimateTokens(body: Body, bytes: number, generates: boolean): number {
  const prompt = Math.ceil(bytes / BYTES_PER_TOKEN);
  if (!generates) return prompt;
  const limit = body['max_completion_tokens'] ?? body['max_tokens'];
  const answer = typeof limit === 'number' ? Math.min(limit, LONG_ANSWER) : USUAL_ANSWER;
  return Math.min(prompt + answer * sequencesOf(body), MOST_TOKENS);
}

/** Returns how many answers the engine is asked to generate: prompts times choices of each. */
export function sequencesOf(body: Body): number {
  const { prompt, n, best_of: bestOf } = body;
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? prompt.length : 1;
  const choices = Math.max(typeof n === 'number' ? n : 1, typeof bestOf === 'number' ? bestOf : 1);
  return prompts * choices;
}
