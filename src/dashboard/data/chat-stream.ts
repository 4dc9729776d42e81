/** The pieces of a streamed chat completion. */
import { ApiError, toApiError } from './api.ts';
import { readEvents } from './sse.ts';

export interface ChatMessage {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

export type ChatPiece =
  | { readonly kind: 'text'; readonly text: string }
  /** The model thinks, and says it apart from its answer. */
  | { readonly kind: 'thinking' }
  | { readonly kind: 'end'; readonly reason: string };

interface Chunk {
  error?: unknown;
  choices?: readonly {
    delta?: { content?: string | null; reasoning?: string | null; reasoning_content?: string | null };
    finish_reason?: string | null;
  }[];
}

/** Yields what the answer says. Throws an ApiError for an error event, and where the stream ends before the answer does. */
export async function* readChat(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ChatPiece, void> {
  for await (const { data } of readEvents(body)) {
    if (data === '[DONE]') return;
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error !== undefined) throw toApiError(200, data);
    for (const { delta, finish_reason: reason } of chunk.choices ?? []) {
      if (delta?.content) yield { kind: 'text', text: delta.content };
      else if (delta?.reasoning_content || delta?.reasoning) yield { kind: 'thinking' };
      if (reason) yield { kind: 'end', reason };
    }
  }
  throw new ApiError(200, 'cut', 'The connection ended before the answer did.');
}
