/** Server-sent events from the body of a fetch: EventSource can send no header, and the session needs one. */

export interface ServerSentEvent {
  /** `message` where the server names none. */
  readonly name: string;
  readonly data: string;
}

/** Takes the stream apart as WHATWG's HTML, 9.2.6, says; ids and retry times are not used here. */
export class EventParser {
  #rest = '';
  #name = '';
  #data: string[] = [];

  /** Returns the events that this piece of the stream completes. */
  push(text: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    const all = this.#rest + text;
    let start = 0;
    for (let end = all.indexOf('\n'); end !== -1; end = all.indexOf('\n', start)) {
      const line = all.slice(start, all[end - 1] === '\r' && end > start ? end - 1 : end);
      start = end + 1;
      const event = this.#take(line);
      if (event !== undefined) events.push(event);
    }
    this.#rest = all.slice(start);
    return events;
  }

  #take(line: string): ServerSentEvent | undefined {
    if (line === '') {
      const event = { name: this.#name || 'message', data: this.#data.join('\n') };
      const isEmpty = this.#data.length === 0;
      this.#name = '';
      this.#data = [];
      return isEmpty ? undefined : event;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
    return undefined;
  }
}

/** Yields the events of a body as they come; `onBytes` is called with each piece of it, comments included. */
export async function* readEvents(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerSentEvent, void> {
  const parser = new EventParser();
  // Not `for await`: Safari has no such streams.
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      onBytes();
      yield* parser.push(piece.value);
    }
  } finally {
    await reader.cancel();
  }
}
