/** One request of the load: sent once, judged, and timed. */
import { request, type Agent, type IncomingMessage } from 'node:http';
import { errorCode, StreamReader } from './stream-reader.ts';

/** An answer that is whole is shorter than this; more is not kept. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Where requests go. */
export interface Target {
  /** Of the chat completions: `http://HOST:PORT/v1/chat/completions`. */
  url: URL;
  key: string | undefined;
  /** Longest time from sending to the end of the answer, in milliseconds. */
  timeoutMs: number;
  /** Keeps connections between requests. */
  agent: Agent;
}

/** What became of a request. */
export interface RequestResult {
  /** `failed`: no whole answer, or not status 200; `cut`: a stream that began and has no good end. */
  outcome: 'ok' | 'failed' | 'cut';
  /** Groups what went wrong: status and code of the error, the code of the connection's, or how the stream ended. */
  reason: string;
  /** What was said, for a person. */
  message: string;
  requestId: string | undefined;
  /** On `performance.now()`: first byte of an answer, or first event of a stream (comments are none). */
  firstByteAt: number | undefined;
  /** Sent a second time, since its kept-alive connection closed before the first byte. */
  reconnected: boolean;
}

interface Attempt {
  result: RequestResult;
  /** The connection had carried a request before, and closed without a byte of an answer to this one. */
  staleConnection: boolean;
}

/**
 * Sends a body to the target and returns what became of it; never rejects. A kept-alive connection may close at the
 * moment of sending, which no server can avoid: that alone is tried again, once, on a new connection.
 */
export async function sendRequest(target: Target, body: string, stream: boolean): Promise<RequestResult> {
  const { result, staleConnection } = await attempt(target, body, stream, target.agent);
  if (!staleConnection) return result;
  const second = await attempt(target, body, stream, false);
  return { ...second.result, reconnected: true };
}

function result(outcome: RequestResult['outcome'], reason = '', message = ''): RequestResult {
  return { outcome, reason, message, requestId: undefined, firstByteAt: undefined, reconnected: false };
}

async function attempt(target: Target, body: string, stream: boolean, agent: Agent | false): Promise<Attempt> {
  const { url, key, timeoutMs } = target;
  return await new Promise<Attempt>((resolve) => {
    const sent = request(url, {
      method: 'POST',
      agent,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
    });
    const timer = setTimeout(() => {
      const error: NodeJS.ErrnoException = new Error(`no end within ${timeoutMs} ms`);
      error.code = 'timeout';
      (answer ?? sent).destroy(error);
    }, timeoutMs);
    const settle = (settled: RequestResult, staleConnection = false): void => {
      clearTimeout(timer);
      resolve({ result: settled, staleConnection });
    };
    let answer: IncomingMessage | undefined;
    sent.once('response', (response) => {
      answer = response;
      void readAnswer(response, stream).then(settle);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      // An answer that breaks off is judged by who reads it.
      if (answer !== undefined) return;
      const closed = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      settle(result('failed', error.code ?? error.name, error.message), sent.reusedSocket && closed);
    });
    sent.end(body);
  });
}

async function readAnswer(response: IncomingMessage, stream: boolean): Promise<RequestResult> {
  const reader = response.statusCode === 200 && stream ? new StreamReader() : undefined;
  const parts: Buffer[] = [];
  let size = 0;
  let firstByteAt: number | undefined;
  let broken: NodeJS.ErrnoException | undefined;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      const begins = reader === undefined || reader.push(part) > 0;
      if (begins) firstByteAt ??= performance.now();
      if (reader === undefined && size < MAX_ANSWER_BYTES) parts.push(part);
      size += part.length;
    }
  } catch (error) {
    broken = error as NodeJS.ErrnoException;
  }
  const requestId = response.headers['x-request-id'];
  const judged =
    reader === undefined
      ? judgeAnswer(response.statusCode ?? 0, Buffer.concat(parts).toString('utf8'), broken)
      : judgeStream(reader, response, broken);
  return { ...judged, requestId: typeof requestId === 'string' ? requestId : undefined, firstByteAt };
}

function judgeStream(
  reader: StreamReader,
  response: IncomingMessage,
  broken: NodeJS.ErrnoException | undefined,
): RequestResult {
  const type = response.headers['content-type'] ?? 'none';
  if (!type.startsWith('text/event-stream')) return result('failed', 'no event stream', `content-type ${type}`);
  const fault = reader.verdict();
  if (fault === undefined) {
    return broken === undefined ? result('ok') : result('cut', 'broken after [DONE]', broken.message);
  }
  // Of a connection that breaks after an error event the event tells more.
  if (broken?.code === 'timeout') return result('cut', 'timeout', broken.message);
  return result('cut', fault.reason, broken === undefined ? fault.message : `${fault.message}; ${broken.message}`);
}

function judgeAnswer(status: number, text: string, broken: NodeJS.ErrnoException | undefined): RequestResult {
  if (broken !== undefined) return result('failed', `${status} ${broken.code ?? 'broken'}`, broken.message);
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return result('failed', `${status} not JSON`, text.slice(0, 500));
  }
  const { error, choices } = body as { error?: unknown; choices?: unknown };
  if (status !== 200) return result('failed', `${status} ${errorCode(error) ?? 'no OpenAI error'}`, text.slice(0, 500));
  const reasons = Array.isArray(choices)
    ? choices.map((choice: { finish_reason?: unknown }) => choice.finish_reason)
    : [];
  const whole = reasons.length > 0 && reasons.every((reason) => typeof reason === 'string' && reason !== 'abort');
  return whole ? result('ok') : result('failed', '200 without a whole answer', text.slice(0, 500));
}
