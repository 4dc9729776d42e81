/** Engine answers that are errors, made into OpenAI's; facts of vLLM 0.32. */
import {
  bodyTooLarge,
  engineFailed,
  modelNotLoaded,
  refusedByEngine,
  replicasFull,
  badUpstream,
  upstreamLost,
  type GatewayError,
} from './errors.ts';

/** An engine's answer that is no success: what to tell the client, and why another replica may do better. */
export interface EngineAnswer {
  readonly error: GatewayError;
  /** Undefined where the request itself is at fault and every replica would answer the same. */
  readonly retry?: 'draining' | 'overloaded' | 'bad_gateway' | 'engine_dead' | 'other_revision';
}

interface EngineError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly status: number | undefined;
}

const DRAINING = 'cannot schedule new futures after shutdown';

/** Reads the answer to a request for `model` (the client's name for it). */
export function engineAnswer(
  status: number,
  body: Buffer,
  context: { model: string; bodyBytes: number },
): EngineAnswer {
  const parsed = parse(body);
  // Inside a stream the status is the error's own code.
  const effective = status === 200 ? (parsed.status ?? 500) : status;
  if (effective >= 500) return serverError(effective, parsed, context.model);
  if (effective === 404) return notFound(parsed, context.model);
  if (effective === 413) return { error: bodyTooLarge(context.bodyBytes) };
  if (effective === 429) return { error: replicasFull(context.model), retry: 'overloaded' };
  // Redirects, and refusals of the gateway itself, are not the client's business.
  if (effective < 400 || [401, 403, 405, 407].includes(effective)) return { error: badUpstream() };
  const param = parsed.param?.replace(/^body\./, '') ?? null;
  const message = clientMessage(parsed.message, param);
  return { error: refusedByEngine(400, codeOf(message), message, param) };
}

function serverError(status: number, { message, type }: EngineError, model: string): EngineAnswer {
  if (message.includes(DRAINING)) return { error: upstreamLost(), retry: 'draining' };
  if (type === 'EngineDeadError') return { error: engineFailed(), retry: 'engine_dead' };
  if (status === 503) return { error: replicasFull(model), retry: 'overloaded' };
  if (status === 502 || status === 504) return { error: upstreamLost(), retry: 'bad_gateway' };
  return { error: engineFailed() };
}

function notFound(parsed: EngineError, model: string): EngineAnswer {
  // FastAPI's own 404: this engine has no such route, an embedding model no chat for example.
  if (parsed.type === 'detail') {
    return { error: refusedByEngine(404, null, `The model \`${model}\` does not support this endpoint.`, 'model') };
  }
  // Only what the deployment's spec has is asked for: this replica began before the adapter was added.
  return { error: modelNotLoaded(model), retry: 'other_revision' };
}

function parse(body: Buffer): EngineError {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    value = undefined;
  }
  const { error, detail } = (value ?? {}) as { error?: unknown; detail?: unknown };
  const { message, type, param, code } = (error ?? {}) as Record<string, unknown>;
  return {
    message: typeof message === 'string' ? message : '',
    type: typeof type === 'string' ? type : detail === undefined ? '' : 'detail',
    param: typeof param === 'string' ? param : null,
    status: typeof code === 'number' && code >= 400 && code < 600 ? code : undefined,
  };
}

/** Most characters of an engine's message that are passed on. */
const MAX_MESSAGE = 1000;

/** Takes Python out of a message: the list of pydantic's errors, and names of exception classes. */
function clientMessage(message: string, param: string | null): string {
  // Cut first: the engine may quote what a client sent, and the patterns below are not linear.
  const start = message.slice(0, 4 * MAX_MESSAGE);
  const [, first] = (start.startsWith("[{'") && /'msg': (?:'|")(.*?)(?:'|")(?:, '|\})/.exec(start)) || [];
  const text = first === undefined ? start : `${param ?? 'body'}: ${first}`;
  const plain = text
    .replaceAll(/\b[A-Z][A-Za-z]*(?:Error|Exception)\b:?\s*/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return plain === '' ? 'The engine refused the request.' : plain.slice(0, MAX_MESSAGE);
}

function codeOf(message: string): string | null {
  return /maximum context length|longer than the maximum model length/i.test(message)
    ? 'context_length_exceeded'
    : null;
}
