import type { Engine, FinishReason, FinishedSequence, Sequence } from './engine.ts';
import type { Metrics } from './metrics.ts';

/** A step that starts this soon after the last one follows it without a pause. */
const CATCH_UP_MS = 50;

/** What a request hears of its sequences. */
export interface SequenceListener {
  token(index: number): void;
  finished(reason: FinishReason, sequence: FinishedSequence): void;
}

/** Runs the engine in real time (divided by `speed`) and tells each sequence's listener and the metrics. */
export class Driver {
  readonly #engine: Engine;
  readonly #metrics: Metrics;
  readonly #speed: number;
  readonly #listeners = new Map<string, SequenceListener>();
  #stepping = false;
  /** When the step in progress, or the last one, should have ended had timers no delay. */
  #stepEnd = 0;
  #hung = false;

  constructor(engine: Engine, metrics: Metrics, speed: number) {
    this.#engine = engine;
    this.#metrics = metrics;
    this.#speed = speed;
  }

  submit(sequence: Sequence, listener: SequenceListener): void {
    this.#listeners.set(sequence.id, listener);
    this.#engine.submit(sequence, now());
    this.#run();
  }

  /** Ends a sequence early (its client went away, or a drain is over); its listener hears `abort`. */
  abort(id: string): void {
    const finished = this.#engine.abort(id, now());
    if (finished === undefined) return;
    this.#metrics.finished(finished);
    this.#tellFinished(finished);
  }

  abortAll(): void {
    for (const id of this.#engine.unfinished) this.abort(id);
  }

  /** While hung no step ends: the engine has stalled and says nothing. */
  set hung(hung: boolean) {
    this.#hung = hung;
    this.#run();
  }

  #run(): void {
    if (this.#stepping || this.#hung) return;
    const started = now();
    const duration = this.#engine.startStep(started);
    if (duration === undefined) return;
    this.#stepping = true;
    // Timers fire up to some milliseconds late: measured from when the last step should have ended, a row of steps
    // keeps its pace. After a pause, or when this process lags far behind, from now.
    const from = started - this.#stepEnd < CATCH_UP_MS ? this.#stepEnd : started;
    this.#stepEnd = from + duration / this.#speed;
    const delay = this.#stepEnd - started;
    if (delay < 1) setImmediate(() => this.#endStep());
    else setTimeout(() => this.#endStep(), delay);
  }

  #endStep(): void {
    this.#stepping = false;
    if (this.#hung) return;
    const time = now();
    const result = this.#engine.finishStep(time);
    this.#metrics.step(result, time);
    for (const { id, index } of result.tokens) this.#listeners.get(id)?.token(index);
    for (const finished of result.finished) this.#tellFinished(finished);
    this.#run();
  }

  #tellFinished(finished: FinishedSequence): void {
    const listener = this.#listeners.get(finished.id);
    this.#listeners.delete(finished.id);
    listener?.finished(finished.reason, finished);
  }
}

function now(): number {
  return performance.now();
}
