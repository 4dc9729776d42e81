import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { ApiError, badRequest, engineDead, invalidBody } from './errors.ts';
import { parseFailure } from './failures.ts';
import { chunk, fullReply, usageChunk, type ReplyHead, type Usage } from './replies.ts';
import { chatRequest, completionRequest, promptTexts, promptTokens } from './requests.ts';
import type { Simulator } from './simulator.ts';
import { detokenize, digest, tokenId, tokenize } from './tokenizer.ts';

/** uvicorn's keep-alive in vLLM: a client that holds a connection idle for longer finds it closed. */
const KEEP_ALIVE_MS = 5_000;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const EMBEDDING_SIZE = 64;

type Body = Readonly<Record<string, unknown>>;
type Handler = (simulator: Simulator, request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** The HTTP server of a loaded simulator; not yet listening. */
export function createHttpServer(simulator: Simulator, log: (line: string) => void): Server {
  const routes = routesOf(simulator);
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, keepAliveTimeoutBuffer: 0 }, (request, response) => {
    response.setHeader('server', 'uvicorn');
    logAccess(simulator, request, response, log);
    void answer(simulator, routes, request, response);
  });
  return server;
}

function routesOf(simulator: Simulator): Map<string, Handler> {
  const routes = new Map<string, Handler>([
    ['GET /health', health],
    ['GET /ping', health],
    ['POST /ping', health],
    ['GET /version', (_, __, response) => json(response, 200, { version: '0.32.0' })],
    ['GET /load', (_, __, response) => json(response, 200, { server_load: serverLoad(simulator) })],
    ['GET /metrics', metrics],
    ['GET /v1/models', models],
    ['POST /tokenize', tokenizeRoute],
    ['POST /detokenize', detokenizeRoute],
  ]);
  if (simulator.model.embedding) {
    routes.set('POST /v1/embeddings', embeddings);
  } else {
    routes.set('POST /v1/chat/completions', (...context) => generate('chat', ...context));
    routes.set('POST /v1/completions', (...context) => generate('completion', ...context));
  }
  if (simulator.settings.control) routes.set('POST /sim/fail', injectFailure);
  return routes;
}

async function answer(
  simulator: Simulator,
  routes: Map<string, Handler>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = pathOf(request);
  const handler = routes.get(`${request.method} ${path}`);
  try {
    if (handler !== undefined) {
      await handler(simulator, request, response);
    } else if ([...routes.keys()].some((route) => route.endsWith(` ${path}`))) {
      json(response, 405, { detail: 'Method Not Allowed' });
    } else {
      json(response, 404, { detail: 'Not Found' });
    }
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const known = error instanceof ApiError ? error : new ApiError(500, 'InternalServerError', String(error));
    json(response, known.status, known.body);
  }
}

function health(simulator: Simulator, _: IncomingMessage, response: ServerResponse): void {
  // While it drains vLLM stays "healthy": only a dead engine shows here.
  response.writeHead(simulator.dead ? 503 : 200, { 'content-length': 0 }).end();
}

function metrics(simulator: Simulator, _: IncomingMessage, response: ServerResponse): void {
  const text = simulator.metrics.expose(simulator.load);
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
}

function models(simulator: Simulator, _: IncomingMessage, response: ServerResponse): void {
  const created = Math.floor(Date.now() / 1000);
  const { servedModelNames, model, loraModules } = simulator.arguments;
  const card = (id: string, root: string, parent: string | null, maxModelLen: number | null) => ({
    id,
    object: 'model',
    created,
    owned_by: 'vllm',
    root,
    parent,
    max_model_len: maxModelLen,
    permission: [],
  });
  const data = [
    ...servedModelNames.map((id) => card(id, model, null, simulator.maxModelLen)),
    ...loraModules.map(({ name, path }) => card(name, path, servedModelNames[0] ?? model, null)),
  ];
  json(response, 200, { object: 'list', data });
}

function serverLoad(simulator: Simulator): number {
  const { running, waiting } = simulator.load;
  return running + waiting;
}

async function generate(
  kind: ReplyHead['kind'],
  simulator: Simulator,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readJson(request);
  const text = kind === 'chat' ? chatRequest(body) : completionRequest(body);
  const details = simulator.arguments.promptTokensDetails;
  const shown = (usage: Usage): Usage => (details ? usage : { ...usage, cachedTokens: undefined });
  const { forceIncludeUsage: force } = simulator.arguments;
  const includeUsage = text.includeUsage || force;
  const eachUsage = force || (text.includeUsage && text.continuousUsage);
  let begun = kind === 'completion';
  const event = (data: unknown) => response.write(`data: ${JSON.stringify(data)}\n\n`);
  const running = simulator.start(kind, text, {
    text: (choice, piece, usage) => {
      if (!text.stream) return;
      const each = eachUsage ? usage() : undefined;
      const none = each && { ...each, completionTokens: 0 };
      if (!begun) {
        for (let index = 0; index < text.n; index += 1) {
          event(chunk(running.head, { index, text: '', finishReason: null, stopReason: null }, '', true, none));
        }
      }
      begun = true;
      event(chunk(running.head, choice, piece, false, each));
    },
    done: (choices, usage) => {
      if (!text.stream) {
        json(response, 200, fullReply(running.head, choices, shown(usage)), loadHeader(simulator, request));
        return;
      }
      if (includeUsage) event(usageChunk(running.head, shown(usage)));
      response.end('data: [DONE]\n\n');
    },
    failed: (error) => {
      if (!text.stream) {
        json(response, error.status, error.body);
        return;
      }
      // The status has been sent: the error can only be an event.
      event(error.body);
      response.end('data: [DONE]\n\n');
    },
  });
  response.on('close', () => {
    if (!response.writableFinished) running.cancel();
  });
  if (!text.stream) return;
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.flushHeaders();
}

/** A number as Python prints a float. */
function float(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}

/** Load of the engine as a response header (the ORCA format) for a client that asks for it. */
function loadHeader(simulator: Simulator, request: IncomingMessage): Record<string, string> {
  if (request.headers['endpoint-load-metrics-format'] !== 'json') return {};
  const { waiting, kvCacheUsage } = simulator.load;
  const named = `{"num_requests_waiting": ${float(waiting)}, "kv_cache_usage_perc": ${float(kvCacheUsage)}}`;
  return { 'endpoint-load-metrics': `JSON {"named_metrics": ${named}}` };
}

async function embeddings(simulator: Simulator, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readJson(request);
  if (body['input'] === undefined) throw invalidBody('input', 'Field required', 'missing');
  const inputs = promptTexts(body['input'], 'input');
  const model = simulator.checkModel(typeof body['model'] === 'string' ? body['model'] : undefined);
  if (simulator.dead) throw engineDead();
  const tokens = inputs.reduce((sum, input) => sum + promptTokens(input).length, 0);
  json(response, 200, {
    id: `embd-${digest(inputs.join('\n')).slice(0, 32)}`,
    object: 'list',
    created: Math.floor(Date.now() / 1000),
    model,
    data: inputs.map((input, index) => ({ index, object: 'embedding', embedding: embedding(input) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens, completion_tokens: 0, prompt_tokens_details: null },
  });
}

/** A unit vector that depends on the text alone. */
function embedding(text: string): number[] {
  const raw = Array.from({ length: EMBEDDING_SIZE }, (_, index) => {
    return Number.parseInt(digest(`${text}/${index}`).slice(0, 8), 16) / 0x80000000 - 1;
  });
  const norm = Math.hypot(...raw) || 1;
  return raw.map((value) => value / norm);
}

async function tokenizeRoute(simulator: Simulator, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readJson(request);
  simulator.checkModel(typeof body['model'] === 'string' ? body['model'] : undefined);
  const text = body['messages'] === undefined ? promptTexts(body['prompt'])[0] : chatRequest(body).prompts[0];
  const tokens = tokenize(text ?? '').map(tokenId);
  json(response, 200, { count: tokens.length, max_model_len: simulator.maxModelLen, tokens, token_strs: null });
}

async function detokenizeRoute(
  simulator: Simulator,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readJson(request);
  simulator.checkModel(typeof body['model'] === 'string' ? body['model'] : undefined);
  const tokens = body['tokens'];
  if (!Array.isArray(tokens)) throw invalidBody('tokens', 'Field required', 'missing');
  json(response, 200, { prompt: detokenize(tokens.map(Number)) });
}

async function injectFailure(simulator: Simulator, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { fail } = await readJson(request);
  if (fail !== null && typeof fail !== 'string') throw badRequest('fail must be MODE, MODE:NUMBER or null.', 'fail');
  let failure;
  try {
    failure = fail === null ? undefined : parseFailure(fail);
  } catch (error) {
    throw badRequest((error as Error).message, 'fail');
  }
  json(response, 200, { fail });
  simulator.inject(failure);
}

async function readJson(request: IncomingMessage): Promise<Body> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new ApiError(400, 'Bad Request', '["Unsupported Media Type: Only \'application/json\' is allowed"]');
  }
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new ApiError(413, 'Request Entity Too Large', 'The body is too large.');
    parts.push(part);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch {
    const detail = "{'type': 'json_invalid', 'loc': ('body', 0), 'msg': 'JSON decode error', 'input': {}}";
    throw new ApiError(400, 'Bad Request', `[${detail}]`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const detail = "{'type': 'model_attributes_type', 'loc': ('body',), 'msg': 'Input should be a valid dictionary'}";
    throw new ApiError(400, 'Bad Request', `[${detail}]`, 'body');
  }
  return value as Body;
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, { ...headers, 'content-type': 'application/json', 'content-length': bytes.length })
    .end(bytes);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0] ?? '/';
}

function logAccess(
  simulator: Simulator,
  request: IncomingMessage,
  response: ServerResponse,
  log: (line: string) => void,
): void {
  const { accessLog, accessLogDisabledFor } = simulator.arguments;
  if (!accessLog || accessLogDisabledFor.includes(pathOf(request))) return;
  const client = `${request.socket.remoteAddress ?? ''}:${request.socket.remotePort ?? ''}`;
  const { method, url, httpVersion } = request;
  response.once('finish', () => {
    log(
      `INFO:     ${client} - "${method} ${url} HTTP/${httpVersion}" ${response.statusCode} ${response.statusMessage}`,
    );
  });
}
