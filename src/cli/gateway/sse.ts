/** Reads a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** A comment is how a gateway says that it still holds the request. */
export type ServerSentEvent = { readonly comment: string } | { readonly data: string };

/** Yields events and comments as they come; what is cut off before its empty line is no event. */
export async function* readEvents(body: Readable): AsyncGenerator<ServerSentEvent> {
  let data: string[] = [];
  // It takes \n, \r\n and \r for ends of lines, and characters whose bytes come apart for one.
  for await (const line of createInterface({ input: body, crlfDelay: Infinity })) {
    if (line === '') {
      if (data.length > 0) yield { data: data.join('\n') };
      data = [];
    } else if (line.startsWith(':')) yield { comment: line.slice(1).trim() };
    else if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
  }
}
