/** What a model thinks before it answers, shown to who watches: it is no part of the answer. */
import type { Context } from '../context.ts';
import { printable } from '../printable.ts';
import { toned } from '../output/table.ts';

export class Thoughts {
  readonly #stderr: Context['stderr'];
  readonly #isDimmed: boolean;
  #isOpen = false;

  constructor({ stderr, env }: Pick<Context, 'stderr' | 'env'>) {
    this.#stderr = stderr;
    this.#isDimmed = !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  }

  /** Writes a piece of them to a terminal on standard error; to nothing else. */
  show(text: string): void {
    if (this.#stderr.isTTY !== true) return;
    this.#isOpen = true;
    const plain = printable(text);
    this.#stderr.write(this.#isDimmed ? toned(plain, 'dim') : plain);
  }

  /** Ends their line, if there is one. */
  end(): void {
    if (this.#isOpen) this.#stderr.write('\n');
    this.#isOpen = false;
  }
}
