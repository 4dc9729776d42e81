/** The replicas of a deployment and the gateway before them: starting, serving and leaving ones, and held requests. */
import type { EngineModel } from './engine-model.ts';
import { Replica, type Journal } from './replica.ts';

interface Starting {
  wishedAtMs: number;
  readyAtMs: number;
}

export class Fleet {
  /** How many are wanted: those that start and those that are ready. */
  wanted = 0;
  /** Serve and are not leaving. */
  readonly ready: Replica[] = [];
  /** Finish their requests and get none. */
  readonly leaving: Replica[] = [];
  /** In the order in which they will be ready. */
  readonly starting: Starting[] = [];
  /** Requests that no replica is ready for, in order. */
  readonly held: number[] = [];
  /** Replicas that cost, integrated over the time that costs. */
  costMs = 0;
  /** From the wish to serving, of those that turned ready since the observer last looked. */
  startTimesMs: number[] = [];
  readonly #engine: EngineModel;
  readonly #journal: Journal;
  readonly #coldStartMs: number;
  readonly #costFromMs: number;
  readonly #costToMs: number;
  readonly #ended: (request: number, nowMs: number) => void;
  #costKnownMs = 0;
  #created = 0;
  /** Who got the last request; the next one among equals is the one after it. */
  #lastGiven = 0;

  constructor(
    { engine, coldStartMs }: { engine: EngineModel; coldStartMs: number },
    journal: Journal,
    cost: { fromMs: number; toMs: number },
    ended: (request: number, nowMs: number) => void,
  ) {
    this.#engine = engine;
    this.#coldStartMs = coldStartMs;
    this.#journal = journal;
    this.#costFromMs = cost.fromMs;
    this.#costToMs = cost.toMs;
    this.#ended = ended;
  }

  /** Adds replicas that serve from the beginning. */
  begin(replicas: number): void {
    this.wanted = replicas;
    for (let count = 0; count < replicas; count++) this.ready.push(this.#replica(0));
  }

  /** When something happens next. */
  get nextMs(): number {
    let next = this.starting[0]?.readyAtMs ?? Infinity;
    for (const replica of this.ready) if (replica.nextMs < next) next = replica.nextMs;
    for (const replica of this.leaving) if (replica.nextMs < next) next = replica.nextMs;
    return next;
  }

  /** Does what is due at `nowMs`, which is `nextMs`. */
  run(nowMs: number): void {
    for (const replica of this.ready) if (replica.nextMs <= nowMs) replica.run();
    for (let at = this.leaving.length - 1; at >= 0; at--) {
      const replica = this.leaving[at] as Replica;
      if (replica.nextMs <= nowMs) replica.run();
      if (replica.inFlight > 0) continue;
      this.#charge(nowMs);
      this.leaving.splice(at, 1);
    }
    while ((this.starting[0]?.readyAtMs ?? Infinity) <= nowMs) this.#turnReady(nowMs);
  }

  /** Gives a request to the replica with the fewest, or holds it. */
  route(request: number, nowMs: number): void {
    const { ready } = this;
    const count = ready.length;
    if (count === 0) {
      this.held.push(request);
      return;
    }
    let least = Infinity;
    let chosen = 0;
    for (let turn = 1; turn <= count; turn++) {
      const at = (this.#lastGiven + turn) % count;
      const { inFlight } = ready[at] as Replica;
      if (inFlight >= least) continue;
      least = inFlight;
      chosen = at;
    }
    this.#lastGiven = chosen;
    (ready[chosen] as Replica).give(request, nowMs);
  }

  /** Wants this many from now on. Fewer: those that start go first, the latest before; then those with the least to do. */
  want(replicas: number, nowMs: number): void {
    this.#charge(nowMs);
    this.wanted = replicas;
    const more = replicas - this.ready.length - this.starting.length;
    for (let count = 0; count < more; count++) {
      this.starting.push({ wishedAtMs: nowMs, readyAtMs: nowMs + this.#coldStartMs });
    }
    for (let count = 0; count < -more; count++) if (this.starting.pop() === undefined) this.#leave();
  }

  /** Ends the account of what replicas cost. */
  settle(): void {
    this.#charge(this.#costToMs);
  }

  #leave(): void {
    let chosen = 0;
    for (const [at, { inFlight }] of this.ready.entries()) {
      if (inFlight < (this.ready[chosen] as Replica).inFlight) chosen = at;
    }
    const [replica] = this.ready.splice(chosen, 1);
    if (replica !== undefined && replica.inFlight > 0) this.leaving.push(replica);
  }

  #turnReady(nowMs: number): void {
    const started = this.starting.shift();
    if (started === undefined) return;
    this.startTimesMs.push(nowMs - started.wishedAtMs);
    this.ready.push(this.#replica(nowMs));
    for (const request of this.held.splice(0)) this.route(request, nowMs);
  }

  #replica(nowMs: number): Replica {
    return new Replica(++this.#created, this.#engine, this.#journal, nowMs, this.#ended);
  }

  /** Counts what the replicas of now have cost since this was last called; called before their number changes. */
  #charge(nowMs: number): void {
    const untilMs = Math.min(nowMs, this.#costToMs);
    const sinceMs = Math.max(this.#costKnownMs, this.#costFromMs);
    if (untilMs > sinceMs) {
      this.costMs += (untilMs - sinceMs) * (this.starting.length + this.ready.length + this.leaving.length);
    }
    this.#costKnownMs = Math.max(this.#costKnownMs, untilMs);
  }
}
