/** What a wait shows: one line that is redrawn in a terminal, a line for each change in a pipe. */
import type { Context } from '../context.ts';
import { duration } from './durations.ts';
import { cut, oneLine } from './table.ts';

const REDRAW_MS = 200;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const CLEAR_LINE = '\r\u001b[2K';

export class Progress {
  readonly #context: Context;
  readonly #startedAt: number;
  readonly #timer: NodeJS.Timeout | undefined;
  #text = '';
  #frame = 0;

  /** Begins at once; it goes to standard error, which leaves standard output to the result. */
  constructor(context: Context) {
    this.#context = context;
    this.#startedAt = context.now().getTime();
    if (this.#redraws) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  /** Shows it; the same again is no change. */
  update(told: string): void {
    const text = oneLine(told);
    if (text === this.#text) return;
    this.#text = text;
    if (this.#redraws) this.#draw();
    else this.#context.note(`[${this.#elapsed.padStart(6)}] ${text}`);
  }

  /** Takes the redrawn line away. */
  end(): void {
    clearInterval(this.#timer);
    if (this.#redraws) this.#context.stderr.write(CLEAR_LINE);
  }

  get #redraws(): boolean {
    return this.#context.isTerminal && this.#context.stderr.isTTY === true;
  }

  get #elapsed(): string {
    return duration((this.#context.now().getTime() - this.#startedAt) / 1000);
  }

  #draw(): void {
    this.#frame = (this.#frame + 1) % FRAMES.length;
    const line = `${FRAMES[this.#frame]} ${this.#elapsed} ${this.#text}`;
    this.#context.stderr.write(`${CLEAR_LINE}${cut(line, this.#context.columns - 1)}`);
  }
}
