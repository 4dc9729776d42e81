/** Pure: the lines of output and error files, in OpenAI's shape. */
import { isUtf8 } from 'node:buffer';
import type { InferenceBatchStatusUsage } from '../../api/generated/inference-batch.ts';
import type { Answer } from '../gateway.ts';

/** Which of a batch's two files a result belongs to. */
export type ResultKind = 'output' | 'error';

export interface Result {
  readonly kind: ResultKind;
  /** With its newline. */
  readonly line: Buffer;
  readonly usage: InferenceBatchStatusUsage;
}

export const NO_USAGE: InferenceBatchStatusUsage = { promptTokens: 0, cachedTokens: 0, completionTokens: 0 };

/** What is read of a line that was written here. */
export interface WrittenResult {
  readonly customId: string;
  readonly usage: InferenceBatchStatusUsage;
  /** That of `error`; undefined for an answer. */
  readonly errorCode: string | undefined;
}

const NEWLINE = 0x0a;

/** Returns the result that an answer is: below 400 for the output file, with the body's bytes as they came. */
export function answerResult(id: string, customId: string, answer: Answer): Result {
  const { json, usage } = oneLine(answer.body);
  const response = `{"status_code":${answer.status},"request_id":${JSON.stringify(answer.requestId)},"body":`;
  const line = Buffer.concat([
    Buffer.from(`{"id":${JSON.stringify(id)},"custom_id":${JSON.stringify(customId)},"response":${response}`),
    json,
    Buffer.from('},"error":null}\n'),
  ]);
  return { kind: answer.status < 400 ? 'output' : 'error', line, usage };
}

/** Returns the result of a request that has no answer. */
export function errorResult(id: string, customId: string, code: string, message: string): Result {
  const line = { id, custom_id: customId, response: null, error: { code, message } };
  return { kind: 'error', line: Buffer.from(`${JSON.stringify(line)}\n`), usage: NO_USAGE };
}

/** Reads a line that one of the functions above wrote. */
export function readResult(line: Buffer): WrittenResult {
  const { custom_id, response, error } = JSON.parse(line.toString('utf8')) as {
    custom_id: string;
    response: { body: unknown } | null;
    error: { code: string } | null;
  };
  return { customId: custom_id, usage: usageOf(response?.body), errorCode: error?.code };
}

/** Returns the sum of both; no more than a resource can hold, whatever engines say. */
export function addUsage(a: InferenceBatchStatusUsage, b: InferenceBatchStatusUsage): InferenceBatchStatusUsage {
  return {
    promptTokens: Math.min(a.promptTokens + b.promptTokens, Number.MAX_SAFE_INTEGER),
    cachedTokens: Math.min(a.cachedTokens + b.cachedTokens, Number.MAX_SAFE_INTEGER),
    completionTokens: Math.min(a.completionTokens + b.completionTokens, Number.MAX_SAFE_INTEGER),
  };
}

/** Newlines in JSON stand only between its values, where a space means the same. What is no JSON becomes a string. */
function oneLine(body: Buffer): { json: Buffer; usage: InferenceBatchStatusUsage } {
  try {
    if (!isUtf8(body)) throw new TypeError('not UTF-8');
    const usage = usageOf(JSON.parse(body.toString('utf8')));
    const json = body.includes(NEWLINE) ? Buffer.from(body.toString('latin1').replaceAll('\n', ' '), 'latin1') : body;
    return { json, usage };
  } catch {
    return { json: Buffer.from(JSON.stringify(body.toString('utf8'))), usage: NO_USAGE };
  }
}

/** Usage as the Responses API names it, and all others. */
interface Usage {
  prompt_tokens?: unknown;
  completion_tokens?: unknown;
  prompt_tokens_details?: { cached_tokens?: unknown } | null;
  input_tokens?: unknown;
  output_tokens?: unknown;
  input_tokens_details?: { cached_tokens?: unknown } | null;
}

function usageOf(body: unknown): InferenceBatchStatusUsage {
  const usage = (body as { usage?: Usage | null } | null | undefined)?.usage;
  if (!usage) return NO_USAGE;
  const cached = usage.prompt_tokens_details?.cached_tokens ?? usage.input_tokens_details?.cached_tokens;
  return {
    promptTokens: tokens(usage.prompt_tokens ?? usage.input_tokens),
    cachedTokens: tokens(cached),
    completionTokens: tokens(usage.completion_tokens ?? usage.output_tokens),
  };
}

function tokens(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
