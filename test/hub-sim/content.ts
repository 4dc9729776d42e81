import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './faults.ts';

const PIECE_BYTES = 64 * 1024;

/** Sends a file, or the range asked for, as a content delivery network does, with what the fault changes. */
export async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  etag: string,
  fault: Fault | undefined,
): Promise<void> {
  const ranged = fault?.ignoreRange !== true && rangeApplies(request, etag) ? request.headers.range : undefined;
  const range = readRange(ranged, content.length);
  const headers = { etag: `"${etag}"`, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' };
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: content.length };
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    'content-length': end - start,
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${content.length}` }),
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const body = fault?.corrupt === true ? Buffer.from(content.map((byte) => byte ^ 0x55)) : content;
  await sendBody(response, body.subarray(start, end), fault);
}

async function sendBody(response: ServerResponse, body: Buffer, fault: Fault | undefined): Promise<void> {
  const stop = Math.min(body.length, fault?.cutAfterBytes ?? body.length);
  const pace = fault?.bytesPerSecond;
  const piece = pace === undefined ? PIECE_BYTES : Math.max(1, Math.min(PIECE_BYTES, Math.floor(pace / 20)));
  for (let at = 0; at < stop && !response.destroyed; at += piece) {
    const part = body.subarray(at, Math.min(at + piece, stop));
    if (!response.write(part)) await drained(response);
    if (pace !== undefined) await sleep((part.length / pace) * 1000);
  }
  if (stop === body.length) {
    response.end();
    return;
  }
  // What was written is on its way before the connection breaks: the client keeps those bytes.
  await new Promise((resolve) => response.socket?.write('', resolve) ?? resolve(undefined));
  response.destroy();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** A range counts only while If-Range, where given, names this very content. */
function rangeApplies(request: IncomingMessage, etag: string): boolean {
  const condition = request.headers['if-range'];
  return condition === undefined || condition === `"${etag}"`;
}

function readRange(header: string | undefined, size: number) {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  return start >= size || start >= end ? ('unsatisfiable' as const) : { start, end };
}
