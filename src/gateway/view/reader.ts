/** One client of the deployments' events: what it has not been told yet waits as names, never as text. */
import { setImmediate as untilOthersRan } from 'node:timers/promises';
import type { ClientResponse } from '../proxy/client-response.ts';

const HEARTBEAT = Buffer.from(': the stream is alive\n\n');
/** Parts of a long event that are written at once. */
const PARTS_AT_ONCE = 50;

/** The deployment that it looks at in full. */
export interface LookedAt {
  readonly namespace: string;
  readonly name: string;
  uid: string;
  /** What it was told last: the detail without its live figures, and the time of those. */
  toldDetail: string;
  toldSampleMs: number;
}

export class Reader {
  /** Keys of deployments that changed since it was told of them. */
  readonly backlog = new Set<string>();
  readonly lookedAt: LookedAt | undefined;
  /** When its session ends, in Unix milliseconds. */
  readonly endsAtMs: number;
  /** Ends what live figures it has told. */
  endLook: () => void = () => undefined;
  readonly #client: ClientResponse;
  /** Until its first events are written, and while a long one is. */
  #busy = true;
  #over = false;
  #wake: () => void = () => undefined;

  /** `onEnd` is called once, when the client has gone or was cut since it does not read. */
  constructor(
    client: ClientResponse,
    { lookedAt, endsAtMs = Number.POSITIVE_INFINITY }: { lookedAt: LookedAt | undefined; endsAtMs: number | undefined },
    onEnd: () => void,
  ) {
    this.#client = client;
    this.lookedAt = lookedAt;
    this.endsAtMs = endsAtMs;
    client.onDrain = () => this.#wake();
    client.onEnd = () => {
      this.#wake();
      onEnd();
    };
  }

  /** Whether it can be written to now; what cannot be said waits in the backlog. */
  get ready(): boolean {
    return !this.#busy && !this.#client.blocked && !this.ended;
  }

  /** Whether it has gone, or was sent away. */
  get ended(): boolean {
    return this.#over || this.#client.ended !== undefined;
  }

  /** Writes the first events; from here on it is ready. */
  async begin(write: () => Promise<void>): Promise<void> {
    await write();
    this.#busy = false;
  }

  /** Writes a short event that many may share. */
  write(event: Buffer): void {
    this.#client.write(event);
  }

  /**
   * Writes an event over a list, with `parts` as JSON, piece by piece as the client takes it and others have their turn: nothing else may be written
   * until this resolves, which it does at once for a client that has gone.
   */
  async writeList(name: string, parts: Iterable<string>): Promise<void> {
    const wasBusy = this.#busy;
    this.#busy = true;
    let piece = `event: ${name}\ndata: {"data":[`;
    let count = 0;
    for (const part of parts) {
      piece += count === 0 ? part : `,${part}`;
      count += 1;
      if (count % PARTS_AT_ONCE !== 0) continue;
      this.#client.write(Buffer.from(piece));
      piece = '';
      await untilOthersRan();
      await this.#drained();
      if (this.ended) return;
    }
    this.#client.write(Buffer.from(`${piece}]}\n\n`));
    this.#busy = wasBusy;
  }

  /** Shows that the connection lives, where nothing else is on its way. */
  heartbeat(): void {
    if (this.ready) this.#client.write(HEARTBEAT);
  }

  /** Ends the stream; the client may come again. */
  end(): void {
    this.#over = true;
    this.#client.end();
    this.#wake();
    this.endLook();
  }

  async #drained(): Promise<void> {
    if (!this.#client.blocked || this.ended) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#wake = () => resolve(undefined);
    await promise;
  }
}

/** Returns the text of an event whose data is `json`. */
export function eventOf(name: string, json: string): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${json}\n\n`);
}
