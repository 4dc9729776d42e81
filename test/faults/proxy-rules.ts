/** The faults that the proxy can produce, and which of them a request meets. */
import type { ApiRequest, RequestMatch } from './proxy-request.ts';
import { matches } from './proxy-request.ts';

/** An answer that was recorded, to be replayed later. */
export interface Recording {
  status?: number;
  contentType?: string;
  body?: Buffer;
}

/** How a watch stream ends or breaks. */
export type StreamEnd =
  /** The response ends as the server ends it after its timeout. */
  | 'close'
  /** The connection is closed within the response, without its last chunk. */
  | 'fin'
  /** The connection is reset. */
  | 'reset'
  /** Half an event is sent, then the response ends. */
  | 'truncate'
  /** A line that is no JSON is sent; the stream goes on. */
  | 'garbage'
  /** An ERROR event 410 is sent, then the response ends. */
  | 'gone'
  /** Nothing is sent any more; the connection stays open. */
  | 'blackhole';

export type Action =
  /** Waits before the request goes on; a pair is a range to draw from. */
  | { type: 'delay'; ms: number | readonly [number, number] }
  /** Answers without asking the API server. */
  | {
      type: 'error';
      status: number;
      reason?: string;
      message?: string;
      headers?: Record<string, string>;
      body?: string;
    }
  /** Cuts the connection without asking the API server. */
  | { type: 'cut'; how: 'fin' | 'reset' }
  /** Never answers, without asking the API server. */
  | { type: 'blackhole' }
  /** Asks the API server (a write happens) and cuts the connection instead of answering. */
  | { type: 'drop-response'; how: 'fin' | 'reset' }
  /** Asks the API server (a write happens) and answers an error in its place. */
  | { type: 'error-after'; status: number; reason?: string; message?: string }
  /** Calls the test before the request goes to the API server, and after its answer, before it is passed on. */
  | { type: 'hook'; before?: () => Promise<void>; after?: () => Promise<void> }
  /** Keeps the answer in `recording`, or gives the kept one. */
  | { type: 'record'; recording: Recording }
  | { type: 'replay'; recording: Recording }
  /** For watches, event by event; `match.name` is then that of the event's object. */
  | { type: 'drop-events'; types: readonly string[] }
  /** Holds back an event, and all that follow it, until the promise is fulfilled. */
  | { type: 'hold-events'; until: Promise<void> }
  | { type: 'duplicate-events' }
  /** Passes a watch on in pieces of this many bytes. */
  | { type: 'split'; bytes: number }
  /** Ends the watch after this many events. */
  | { type: 'end-watch'; afterEvents: number; how: StreamEnd };

export interface Rule {
  match: RequestMatch & {
    /** Only the n-th request (1 is the first) that matches otherwise. */
    nth?: number;
  };
  /** For how many requests (for event actions: events) the rule applies; default: all. */
  times?: number;
  /** The share of requests it applies to, drawn from the seed; default 1. */
  probability?: number;
  action: Action;
}

export interface RuleHandle {
  /** How often the rule was applied. */
  readonly hits: number;
  remove(): void;
}

const EVENT_ACTIONS: readonly string[] = ['drop-events', 'hold-events', 'duplicate-events'];

/** A generator of numbers in [0, 1) that repeats for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface ActiveRule {
  rule: Rule;
  seen: number;
  hits: number;
}

/** The rules of one proxy. */
export class RuleBook {
  readonly random: () => number;
  #rules: ActiveRule[] = [];

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  add(rule: Rule): RuleHandle {
    const active: ActiveRule = { rule, seen: 0, hits: 0 };
    this.#rules.push(active);
    return {
      get hits(): number {
        return active.hits;
      },
      remove: (): void => {
        this.#rules = this.#rules.filter((other) => other !== active);
      },
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /** Returns the actions that the request meets, in the order of the rules, and counts them. */
  forRequest(request: ApiRequest): Action[] {
    return this.#take(request, false);
  }

  /** Returns the actions that one event of a watch meets; `request.name` is the name of its object. */
  forEvent(request: ApiRequest): Action[] {
    return this.#take(request, true);
  }

  #take(request: ApiRequest, event: boolean): Action[] {
    const met: Action[] = [];
    for (const active of this.#rules) {
      const { rule } = active;
      if (EVENT_ACTIONS.includes(rule.action.type) !== event) continue;
      const { nth, ...match } = rule.match;
      if (!matches(request, match)) continue;
      active.seen += 1;
      if (nth !== undefined && active.seen !== nth) continue;
      if (rule.times !== undefined && active.hits >= rule.times) continue;
      if (rule.probability !== undefined && this.random() >= rule.probability) continue;
      active.hits += 1;
      met.push(rule.action);
    }
    return met;
  }
}
