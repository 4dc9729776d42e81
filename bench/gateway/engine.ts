/** A process that answers completions at once with the same bytes: an engine that is never what a measurement waits for. */
import { createServer, type ServerResponse } from 'node:http';
import { LOAD_REQUEST_HEADER, LOAD_RESPONSE_HEADER } from '../../src/gateway/engine/load-header.ts';
import { Metrics } from '../../test/vllm-sim/metrics.ts';
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

function event(more: object): string {
  return frame(`data: ${JSON.stringify({ ...HEAD, object: 'chat.completion.chunk', ...more })}\n\n`);
}

function token(finishReason: string | null): object {
  return { choices: [{ index: 0, delta: { content: ' sea' }, finish_reason: finishReason }] };
}

const DONE = frame('data: [DONE]\n\n');
const PLAIN = { chunk: Buffer.from(event(token(null))), end: Buffer.from(event(token('length')) + DONE) };
/** As for who asks for `continuous_usage_stats`, which the gateway does. */
const COUNTED = {
  chunk: Buffer.from(event({ ...token(null), usage: USAGE })),
  end: Buffer.from(event({ ...token('length'), usage: USAGE }) + event({ choices: [], usage: USAGE }) + DONE),
};

/**
 * Each token is a write of its own in a turn of its own, as from an engine, only without the wait between them. The
 * bytes go past Node's http, whose work for each would make this process the slowest of the chain.
 */
function stream(response: ServerResponse, { chunk, end }: typeof PLAIN): void {
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
      socket?.write(end);
      response.end();
    } else {
      socket?.write(chunk);
      setImmediate(next);
    }
  };
  next();
}

/** What vLLM says of its load. */
const LOAD = 'JSON {"named_metrics": {"num_requests_waiting": 0.0, "kv_cache_usage_perc": 0.125}}';
const METRICS = new Metrics({
  modelName: 'bench',
  maxModelLen: 131_072,
  kvBlocks: 27_000,
  blockTokens: 16,
  gpuMemoryUtilization: 0.92,
  prefixCaching: true,
  startedAt: 1_790_000_000,
}).expose({ running: 1, waiting: 0, kvCacheUsage: 0.125, preemptions: 0, prefixQueries: 0, prefixHits: 0 });

function whole(response: ServerResponse, saysLoad: boolean): void {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': ANSWER.length,
    ...(saysLoad && { [LOAD_RESPONSE_HEADER]: LOAD }),
  });
  response.end(ANSWER);
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  let streams = false;
  let counted = false;
  request.on('data', (part: Buffer) => {
    streams ||= part.includes('"stream":true');
    counted ||= part.includes('"continuous_usage_stats":true');
  });
  request.on('end', () => {
    if (request.url === '/metrics') response.end(METRICS);
    else if (streams) stream(response, counted ? COUNTED : PLAIN);
    else whole(response, request.headers[LOAD_REQUEST_HEADER] === 'json');
  });
});
announce(server);
