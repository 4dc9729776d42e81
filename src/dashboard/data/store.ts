/** The page's one source of what it shows: events in, listeners told. */
import { BASE } from './api.ts';
import { follow, type Connection } from './connection.ts';
import { paced } from './paced.ts';
import { EMPTY_VIEW, withEvent, type View } from './view.ts';

/** Faster than this nobody reads; however many events come, no more is drawn. */
const TELL_MS = 200;

export class LiveStore {
  view: View = EMPTY_VIEW;
  connection: Connection = { state: 'connecting' };
  readonly #listeners = new Set<() => void>();
  readonly #tell = paced(() => this.#tellNow(), TELL_MS);
  #following: AbortController | undefined;

  /** Calls `listener` when something changed; returns what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Follows the list and, where an id is given, the detail of that deployment, in the place of what was followed. */
  watch(id: string | undefined): void {
    this.#following?.abort();
    const following = new AbortController();
    this.#following = following;
    this.view = { ...this.view, detail: undefined, samples: [] };
    // Otherwise it is as it was until the new stream says something else: a move between screens is no event.
    if (this.connection.state === 'refused') this.connection = { state: 'connecting' };
    const query = id === undefined ? '' : `?id=${encodeURIComponent(id)}`;
    const follower = {
      onEvent: (event: Parameters<typeof withEvent>[1]) => {
        if (following.signal.aborted) return;
        this.view = withEvent(this.view, event, id);
        this.#tell();
      },
      onConnection: (connection: Connection) => {
        if (following.signal.aborted) return;
        this.connection = connection;
        this.#tellNow();
      },
    };
    void follow(`${BASE}/deployments/events${query}`, follower, following.signal);
  }

  /** Follows nothing and knows nothing any more. */
  stop(): void {
    this.#following?.abort();
    this.view = EMPTY_VIEW;
    this.connection = { state: 'connecting' };
  }

  #tellNow(): void {
    for (const listener of this.#listeners) listener();
  }
}
