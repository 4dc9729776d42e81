/** A process that answers completions at once with the same bytes: an engine that is never what a measurement waits for. */
import { createServer, type ServerResponse } from 'node:http';
import { announce } from './process-port.ts';
import { CHUNKS } from './scenarios.ts';

const HEAD = { id: 'chatcmpl-bench', created: 1_790_000_000, model: 'bench' };
const USAGE = { prompt_tokens: 20, completion_tokens: CHUNKS, total_tokens: CHUNKS + 20 };

const ANSWER = Buffer.from(
  JSON.stringify({
    ...HEAD,
    object: 'chat.completion',
    choices: [
      { index: 0, message: { role: 'assistant', content: 'The sea is wide. '.repeat(20) }, finish_reason: 'length' },
    ],
    usage: USAGE,
  }),
);

/** The text of an event in the framing of a chunked body. */
function frame(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function token(finishReason: string | null): string {
  const choices = [{ index: 0, delta: { content: ' sea' }, finish_reason: finishReason }];
  return frame(`data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', choices })}\n\n`);
}

const CHUNK = Buffer.from(token(null));
const END = Buffer.from(token('length') + frame('data: [DONE]\n\n'));

/**
 * Each token is a write of its own in a turn of its own, as from an engine, only without the wait between them. The
 * bytes go past Node's http, whose work for each would make this process the slowest of the chain.
 */
function stream(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'transfer-encoding': 'chunked',
  });
  response.flushHeaders();
  const { socket } = response;
  let sent = 0;
  const next = (): void => {
    sent += 1;
    if (sent === CHUNKS) {
      socket?.write(END);
      response.end();
    } else {
      socket?.write(CHUNK);
      setImmediate(next);
    }
  };
  next();
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  let streams = false;
  request.on('data', (part: Buffer) => {
    streams ||= part.includes('"stream":true');
  });
  request.on('end', () => {
    if (streams) stream(response);
    else response.writeHead(200, { 'content-type': 'application/json', 'content-length': ANSWER.length }).end(ANSWER);
  });
});
announce(server);
