/** Chat completions as a client sends them, unary and streaming. */
import { DEPLOYMENT } from './objects.ts';

/** What a stream has brought when it ended. */
export interface StreamResult {
  /** Chunks with content. */
  chunks: number;
  finishReason: string | undefined;
  /** The stream's last event was `[DONE]`. */
  done: boolean;
}

interface Chunk {
  error?: { message: string };
  choices?: { delta?: { content?: string }; message?: { content: string }; finish_reason: string | null }[];
}

async function post(baseUrl: string, body: object): Promise<Response> {
  const response = await fetch(`${baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: DEPLOYMENT,
      messages: [{ role: 'user', content: 'The quick brown fox' }],
      // A random model ends its answer at random.
      ignore_eos: true,
      ...body,
    }),
  });
  if (!response.ok) throw new Error(`vLLM answered ${response.status}: ${await response.text()}`);
  return response;
}

/** Returns the answer's text. Throws what vLLM said when it refuses. */
export async function chat(baseUrl: string, tokens: number): Promise<string> {
  const response = await post(baseUrl, { max_tokens: tokens });
  const content = ((await response.json()) as Chunk).choices?.[0]?.message?.content;
  if (content === undefined) throw new Error('vLLM answered without a message.');
  return content;
}

/**
 * Reads a stream of `tokens` tokens to its end and calls `onChunk` at each chunk with content. Throws what vLLM said
 * when it refuses or breaks off.
 */
export async function streamChat(
  baseUrl: string,
  tokens: number,
  onChunk: () => void = () => undefined,
): Promise<StreamResult> {
  const response = await post(baseUrl, { max_tokens: tokens, stream: true });
  const result: StreamResult = { chunks: 0, finishReason: undefined, done: false };
  let rest = '';
  for await (const text of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((line) => line.startsWith('data: '))) {
      const data = line.slice('data: '.length).trim();
      result.done = data === '[DONE]';
      if (result.done) continue;
      const { choices, error } = JSON.parse(data) as Chunk;
      if (error) throw new Error(`vLLM broke off the stream after ${result.chunks} chunks: ${error.message}`);
      const choice = choices?.[0];
      result.finishReason = choice?.finish_reason ?? result.finishReason;
      if (choice?.delta?.content === undefined || choice.delta.content === '') continue;
      result.chunks += 1;
      onChunk();
    }
  }
  return result;
}
