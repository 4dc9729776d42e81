import { invalidValue, refusedField } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import type { Body } from './body.ts';
import { sequencesOf } from './estimate.ts';
import { checkMessages } from './messages.ts';

type Caps = Pick<GatewayLimits, 'maxChoices' | 'maxLogprobs' | 'maxTokens' | 'maxMessages' | 'maxTools' | 'maxInputs'>;

/** What makes the engine run a caller's template, decode a caller's tensors or open its plumbing, and why it is refused. */
const REFUSED: readonly (readonly [path: string, why: string])[] = [
  ['chat_template', 'templates run in the engine; the one of the model is used.'],
  ['chat_template_kwargs.chat_template', 'templates run in the engine; the one of the model is used.'],
  ['prompt_embeds', 'tensors are not accepted; send text or token ids.'],
  ['mm_processor_kwargs', "the model's own settings are used."],
  ['media_io_kwargs', "the model's own settings are used."],
  ['kv_transfer_params', 'it is internal to the engine.'],
  ['structured_outputs.backend', 'the engine chooses the backend.'],
  ['structured_outputs._backend', 'the engine chooses the backend.'],
  ['guided_decoding_backend', 'the engine chooses the backend.'],
  ['chat_template_kwargs.tokenize', 'it is internal to the engine.'],
  // Reaches what kv_transfer_params reaches, under another name.
  ['vllm_xargs', 'it is internal to the engine.'],
  ['priority', 'the order of requests is not for clients to choose.'],
];

/** Split once: every request is looked through for all of them. */
const REFUSED_PATHS = REFUSED.map(([path, why]) => {
  const [first = '', second] = path.split('.');
  return { path, first, second, why };
});

/**
 * Checks the fields that this gateway acts on or refuses; all others are the engine's to judge.
 * Numbers must be JSON numbers: the engine would also take "100" for 100 and pass the cap.
 * @throws GatewayError 400 that names the field
 */
export function checkFields(body: Body, caps: Caps): void {
  for (const { path, first, second, why } of REFUSED_PATHS) {
    if (isGiven(body[first]) && isGiven(at(body, first, second))) throw refusedField(path, why);
  }
  boolean(body, 'stream');
  integer(body, 'n', 1, caps.maxChoices);
  integer(body, 'best_of', 1, caps.maxChoices);
  // A negative count of logprobs means the whole vocabulary to vLLM.
  if (typeof body['logprobs'] !== 'boolean') integer(body, 'logprobs', 0, caps.maxLogprobs);
  integer(body, 'top_logprobs', 0, caps.maxLogprobs);
  integer(body, 'prompt_logprobs', 0, caps.maxLogprobs);
  integer(body, 'max_tokens', 0, caps.maxTokens);
  integer(body, 'max_completion_tokens', 0, caps.maxTokens);
  integer(body, 'min_tokens', 0, caps.maxTokens);
  count(body, 'tools', caps.maxTools);
  count(body, 'functions', caps.maxTools);
  count(body, 'messages', caps.maxMessages);
  inputs(body, 'prompt', caps.maxInputs);
  inputs(body, 'input', caps.maxInputs);
  if (sequencesOf(body) > caps.maxInputs) {
    throw invalidValue('n', `times the number of prompts must be at most ${caps.maxInputs}.`);
  }
  checkMessages(body['messages']);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function at(body: Body, first: string, second: string | undefined): unknown {
  const value = Object.hasOwn(body, first) ? body[first] : undefined;
  if (second === undefined || typeof value !== 'object' || value === null) return second === undefined ? value : null;
  return Object.hasOwn(value, second) ? (value as Body)[second] : undefined;
}

function boolean(body: Body, field: string): void {
  const value = body[field];
  if (isGiven(value) && typeof value !== 'boolean') throw invalidValue(field, 'must be true or false.');
}

function integer(body: Body, field: string, least: number, most: number): void {
  const value = body[field];
  if (!isGiven(value)) return;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw invalidValue(field, `must be a whole number from ${least} to ${most}.`);
  }
}

function count(body: Body, field: string, most: number): void {
  const value = body[field];
  if (Array.isArray(value) && value.length > most) throw invalidValue(field, `must have at most ${most} entries.`);
}

/** One prompt may be a list of token ids as long as the context; only lists of texts or of lists count as many prompts. */
function inputs(body: Body, field: string, most: number): void {
  const value = body[field];
  if (Array.isArray(value) && typeof value[0] !== 'number') count(body, field, most);
}
