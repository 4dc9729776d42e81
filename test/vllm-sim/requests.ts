import { badRequest, invalidBody } from './errors.ts';
import { answerLength, answerToken, detokenize, digest, tokenize } from './tokenizer.ts';

/** A checked request for text. One prompt gives `n` choices. */
export interface TextRequest {
  readonly model: string | undefined;
  readonly prompts: readonly string[];
  readonly n: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly stop: readonly string[];
  readonly echo: boolean;
  readonly autoTools: boolean;
}

/** One choice to generate: when it ends and why, and the text of each token. */
export interface Answer {
  readonly length: number;
  readonly finishReason: 'stop' | 'length';
  readonly stopReason: string | null;
  readonly token: (index: number) => string;
  /** What a client sees of the token: less than its text where a stop string begins in it. */
  readonly visible: (index: number) => string;
}

type Body = Readonly<Record<string, unknown>>;

/** @throws ApiError as vLLM gives it for a body that is not a chat completion request. */
export function chatRequest(body: Body): TextRequest {
  const messages = body['messages'];
  if (messages === undefined) throw invalidBody('messages', 'Field required', 'missing');
  if (!Array.isArray(messages)) throw invalidBody('messages', 'Input should be a valid list', 'list_type');
  if (messages.length === 0) throw badRequest('messages must not be empty', 'messages');
  const prompt = messages.map((message: unknown, index) => templated(message, index)).join('');
  const tools = Array.isArray(body['tools']) && body['tools'].length > 0;
  const choice = body['tool_choice'];
  return {
    ...common(body),
    prompts: [`${prompt}<|assistant|>\n`],
    maxTokens: count(body, 'max_completion_tokens', 1) ?? count(body, 'max_tokens', 1),
    echo: false,
    autoTools: tools && (choice === undefined || choice === 'auto'),
  };
}

/** @throws ApiError as vLLM gives it for a body that is not a completion request. */
export function completionRequest(body: Body): TextRequest {
  const prompt = body['prompt'];
  if (prompt === undefined || prompt === null) throw badRequest('Either prompt or prompt_embeds must be provided.');
  return {
    ...common(body),
    prompts: promptTexts(prompt),
    maxTokens: count(body, 'max_tokens', 0) ?? 16,
    echo: body['echo'] === true,
    autoTools: false,
  };
}

/** The texts of `prompt` or `input`: a string, strings, token ids, or lists of token ids. */
export function promptTexts(prompt: unknown, field = 'prompt'): string[] {
  if (typeof prompt === 'string') return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0) {
    const items = prompt as unknown[];
    if (items.every((item) => typeof item === 'string')) return items;
    if (isTokenIds(items)) return [detokenize(items)];
    if (items.every((item) => isTokenIds(item))) return items.map((item) => detokenize(item));
  }
  throw invalidBody(field, 'Input should be a valid string, list of strings or list of token ids');
}

/** Plans the answer to a prompt: all of it is known at once, only its timing is simulated. */
export function planAnswer(request: TextRequest, prompt: string, choice: number, limit: number, mean: number): Answer {
  const seed = digest(`${prompt}\u0000${choice}`);
  const natural = request.ignoreEos ? Infinity : Math.max(request.minTokens, answerLength(seed, mean));
  const token = (index: number) => answerToken(seed, index);
  const length = Math.max(1, Math.min(natural, limit));
  const plain: Answer = {
    length,
    finishReason: natural <= limit ? 'stop' : 'length',
    stopReason: null,
    token,
    visible: token,
  };
  return request.stop.length === 0 ? plain : stoppedAt(plain, request.stop);
}

function stoppedAt(answer: Answer, stop: readonly string[]): Answer {
  let text = '';
  for (let index = 0; index < answer.length; index += 1) {
    const before = text.length;
    text += answer.token(index);
    const hits = stop.map((value) => ({ value, at: text.indexOf(value) })).filter(({ at }) => at !== -1);
    const first = hits.toSorted((a, b) => a.at - b.at)[0];
    if (first === undefined) continue;
    // vLLM holds text back while it may be the start of a stop string; here only the last token is cut, so a stop
    // string over several tokens shows its beginning in a stream.
    const last = text.slice(before, Math.max(before, first.at));
    return {
      ...answer,
      length: index + 1,
      finishReason: 'stop',
      stopReason: first.value,
      visible: (position) => (position === index ? last : answer.token(position)),
    };
  }
  return answer;
}

function common(body: Body) {
  const options = (body['stream_options'] ?? {}) as Body;
  const stream = body['stream'] === true;
  if (!stream && body['stream_options'] !== undefined && body['stream_options'] !== null) {
    throw badRequest('Stream options can only be defined when `stream=True`.', 'stream_options');
  }
  const model = body['model'];
  if (model !== undefined && model !== null && typeof model !== 'string') {
    throw invalidBody('model', 'Input should be a valid string', 'string_type');
  }
  checkTemperature(body);
  const n = count(body, 'n', 1) ?? 1;
  return {
    model: model ?? undefined,
    n,
    stream,
    includeUsage: options['include_usage'] === true,
    continuousUsage: options['continuous_usage_stats'] === true,
    minTokens: count(body, 'min_tokens', 0) ?? 0,
    ignoreEos: body['ignore_eos'] === true,
    stop: stopStrings(body['stop']),
  };
}

function checkTemperature(body: Body): void {
  const temperature = body['temperature'];
  if (typeof temperature === 'number' && temperature < 0) {
    throw badRequest(`temperature must be non-negative, got ${temperature}.`, 'temperature');
  }
}

function stopStrings(stop: unknown): string[] {
  if (stop === undefined || stop === null) return [];
  const values: unknown[] = Array.isArray(stop) ? stop : [stop];
  return values.map((value) => {
    if (typeof value !== 'string' || value === '') throw invalidBody('stop', 'Input should be a valid string');
    return value;
  });
}

function count(body: Body, field: string, minimum: number): number | undefined {
  const value = body[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    throw invalidBody(field, 'Input should be a valid integer', 'int_type');
  }
  if (value < minimum) throw badRequest(`${field} must be at least ${minimum}, got ${value}.`, field);
  return value;
}

function templated(message: unknown, index: number): string {
  if (typeof message !== 'object' || message === null) {
    throw invalidBody(`messages.${index}`, 'Input should be a valid dictionary', 'dict_type');
  }
  const { role, content } = message as { role?: unknown; content?: unknown };
  if (typeof role !== 'string') throw invalidBody(`messages.${index}.role`, 'Field required', 'missing');
  return `<|${role}|>\n${contentText(content, index)}<|end|>\n`;
}

function contentText(content: unknown, index: number): string {
  if (typeof content === 'string') return content;
  if (content === undefined || content === null) return '';
  if (!Array.isArray(content)) throw invalidBody(`messages.${index}.content`, 'Input should be a valid string');
  return content
    .map((part: unknown) => {
      const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
      if (type === 'text' && typeof text === 'string') return text;
      throw badRequest(`At most 0 ${String(type)}(s) may be provided in one prompt.`, 'messages');
    })
    .join('\n');
}

function isTokenIds(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => Number.isInteger(item));
}

/** Tokens of a prompt; never empty, since a model needs a token to begin with. */
export function promptTokens(prompt: string): string[] {
  const tokens = tokenize(prompt);
  return tokens.length > 0 ? tokens : [' '];
}
