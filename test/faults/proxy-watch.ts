/** One watch that passes through the proxy, event by event and without delay. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { reset } from './reset.ts';
import type { ApiRequest } from './proxy-request.ts';
import type { Action, RuleBook, StreamEnd } from './proxy-rules.ts';

/** What a test can do to a watch that is open. */
export interface LiveWatch {
  readonly request: ApiRequest;
  /** Events passed on so far, bookmarks included. */
  readonly events: number;
  end(how: StreamEnd): void;
  /** Sends bytes of the test's own. */
  send(text: string): void;
}

interface WatchOptions {
  request: ApiRequest;
  upstream: IncomingMessage;
  response: ServerResponse;
  /** The TCP connection below TLS. */
  connection: Socket;
  rules: RuleBook;
  /** Those that the request met when it was opened. */
  actions: Action[];
}

const NEWLINE = 0x0a;
const GONE = {
  type: 'ERROR',
  object: {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason: 'Expired',
    code: 410,
    message: 'too old resource version',
  },
};

/** Passes the watch on until either side ends it. */
export class WatchStream implements LiveWatch {
  readonly request: ApiRequest;
  readonly #options: WatchOptions;
  readonly #endAfter: Extract<Action, { type: 'end-watch' }> | undefined;
  readonly #splitBytes: number | undefined;
  #partial: Buffer[] = [];
  #events = 0;
  #silent = false;
  /** Keeps the order of events where some are held back. */
  #sending: Promise<void> = Promise.resolve();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.request = options.request;
    this.#endAfter = options.actions.find((action) => action.type === 'end-watch');
    this.#splitBytes = options.actions.find((action) => action.type === 'split')?.bytes;
    const { upstream, response } = options;
    upstream.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    upstream.on('end', () => {
      this.#sending = this.#sending.then(() => {
        if (!this.#silent) response.end();
      });
    });
    upstream.on('error', () => {
      if (!this.#silent) response.destroy();
    });
    if (this.#endAfter?.afterEvents === 0) this.end(this.#endAfter.how);
  }

  get events(): number {
    return this.#events;
  }

  send(text: string): void {
    this.#options.response.write(text);
  }

  end(how: StreamEnd): void {
    const { response, upstream, connection } = this.#options;
    if (how === 'garbage') {
      this.send('{"type": this is no JSON\n');
      return;
    }
    this.#silent = true;
    if (how === 'blackhole') return;
    if (how === 'fin') connection.end();
    else if (how === 'reset') reset(connection);
    else {
      if (how === 'truncate') response.write('{"type":"MODIFIED","object":{"metadata":{"na');
      if (how === 'gone') response.write(`${JSON.stringify(GONE)}\n`);
      response.end();
    }
    upstream.destroy();
  }

  #onChunk(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, start);
      if (newline === -1) break;
      const line = Buffer.concat([...this.#partial, chunk.subarray(start, newline + 1)]);
      this.#partial = [];
      start = newline + 1;
      this.#onLine(line);
    }
    if (start < chunk.length) this.#partial.push(chunk.subarray(start));
  }

  #onLine(line: Buffer): void {
    const event = JSON.parse(line.toString('utf8')) as { type: string; object: { metadata?: { name?: string } } };
    const actions = this.#options.rules.forEvent({ ...this.request, name: event.object.metadata?.name ?? '' });
    if (actions.some((action) => action.type === 'drop-events' && action.types.includes(event.type))) return;
    const copies = actions.some((action) => action.type === 'duplicate-events') ? 2 : 1;
    this.#sending = this.#sending.then(async () => {
      for (const action of actions) if (action.type === 'hold-events') await action.until;
      for (let copy = 0; copy < copies; copy += 1) await this.#forward(line);
    });
  }

  async #forward(line: Buffer): Promise<void> {
    if (this.#silent) return;
    const { response } = this.#options;
    const size = this.#splitBytes ?? line.length;
    for (let start = 0; start < line.length; start += size) {
      response.write(line.subarray(start, start + size));
      // So that the pieces leave one by one and do not meet again in one write.
      if (this.#splitBytes !== undefined) await new Promise((resolve) => setImmediate(resolve));
    }
    this.#events += 1;
    if (this.#endAfter !== undefined && this.#events >= this.#endAfter.afterEvents) this.end(this.#endAfter.how);
  }
}
