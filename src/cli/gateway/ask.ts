/** One question to a deployment, and its answer as it comes; waits while no replica is there yet. */
import { setTimeout as pause } from 'node:timers/promises';
import type { GatewayClient } from './client.ts';
import { ApiFailure, errorIn, GatewayUnreachable } from './failures.ts';
import { readEvents } from './sse.ts';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface Question {
  model: string;
  messages: readonly Message[];
  max_tokens?: number;
  temperature?: number;
}

export interface AskOptions {
  signal: AbortSignal;
  /** A piece of the answer. */
  onText: (text: string) => void;
  /** A piece of what a model thinks before its answer. */
  onReasoning: (text: string) => void;
  /**
   * Called when the answer lets itself be waited for, and from then on every ten seconds at most; `refusal` is what the
   * gateway said, where the question is asked again.
   */
  onWait: (waitedSeconds: number, refusal?: string) => void;
  /** How long to wait for the first piece in all; in milliseconds. */
  patienceMs: number;
}

/** After which one would like to be told. */
const SILENCE_MS = 3_000;
/** Between two times that waiting is told. */
const WAIT_MS = 10_000;
/** Where a gateway does not say when to come again. */
const RETRY_SECONDS = 2;
/** What a gateway says while replicas start; each goes away by itself. */
const STARTING = new Set(['model_not_ready', 'model_unavailable', 'queue_full', 'gateway_restarting']);

/**
 * Returns why the answer ended: OpenAI's finish_reason, such as `stop` or `length`. Throws ApiFailure, GatewayUnreachable,
 * and the signal's reason after an abort.
 */
export async function ask(client: GatewayClient, question: Question, options: AskOptions): Promise<string> {
  const startedAt = performance.now();
  const waited = (): number => performance.now() - startedAt;
  let begun = false;
  let toldAt = -Infinity;
  const tellWait = (refusal?: string): void => {
    if (begun || waited() - toldAt < WAIT_MS) return;
    toldAt = waited();
    options.onWait(waited() / 1000, refusal);
  };
  const silence = setTimeout(tellWait, SILENCE_MS);
  const told = {
    ...options,
    onBegin: () => {
      begun = true;
      clearTimeout(silence);
    },
    onWait: tellWait,
  };
  try {
    for (;;) {
      try {
        return await askOnce(client, question, told);
      } catch (error) {
        if (begun || !isStarting(error)) throw error;
        const ms = (error.retryAfter ?? RETRY_SECONDS) * 1000;
        if (waited() + ms > options.patienceMs) throw error;
        told.onWait(error.message);
        await pause(ms, undefined, { signal: options.signal });
      }
    }
  } finally {
    clearTimeout(silence);
  }
}

function isStarting(error: unknown): error is ApiFailure {
  return error instanceof ApiFailure && error.code !== null && STARTING.has(error.code);
}

async function askOnce(
  client: GatewayClient,
  question: Question,
  {
    signal,
    onText,
    onReasoning,
    onBegin,
    onWait,
  }: Pick<AskOptions, 'signal' | 'onText' | 'onReasoning'> & {
    onBegin: () => void;
    onWait: () => void;
  },
): Promise<string> {
  const { body } = await client.send('/chat/completions', {
    method: 'POST',
    json: { ...question, stream: true },
    signal,
  });
  let finishReason: string | undefined;
  try {
    for await (const event of readEvents(body)) {
      if ('comment' in event) onWait();
      else if (event.data === '[DONE]') return finishReason ?? 'stop';
      else {
        const chunk = readChunk(event.data);
        // Also of a model that has said nothing yet: it is at work.
        onBegin();
        if (chunk.reasoning !== '') onReasoning(chunk.reasoning);
        if (chunk.text !== '') onText(chunk.text);
        finishReason = chunk.finishReason ?? finishReason;
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ApiFailure) throw error;
    throw new GatewayUnreachable('The answer broke off', { cause: client.reasonOf(error) });
  } finally {
    body.on('error', () => undefined).destroy();
  }
  throw new GatewayUnreachable('The answer broke off: the gateway ended the stream before its end');
}

interface Chunk {
  text: string;
  reasoning: string;
  finishReason: string | null | undefined;
}

/** Throws ApiFailure for an error that came after the head of the answer. */
function readChunk(data: string): Chunk {
  const { message, code } = errorIn(data);
  if (message !== undefined) throw new ApiFailure(message, { status: 503, code: code ?? null });
  const { choices } = JSON.parse(data) as {
    choices?: {
      // Engines name what a model thinks in two ways, neither of them OpenAI's.
      delta?: { content?: string | null; reasoning_content?: string | null; reasoning?: string | null };
      finish_reason?: string | null;
    }[];
  };
  const [choice] = choices ?? [];
  const { content, reasoning_content: reasoningContent, reasoning } = choice?.delta ?? {};
  return { text: content ?? '', reasoning: reasoningContent ?? reasoning ?? '', finishReason: choice?.finish_reason };
}
