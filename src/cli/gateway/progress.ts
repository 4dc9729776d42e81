/** How far something is: a line that is redrawn in a terminal, a line now and then elsewhere. */
import type { Context } from '../context.ts';

export interface Progress {
  /** Shows it; `share` is from 0 to 1, undefined where nobody knows how much there is. */
  show(text: string, share?: number): void;
  /** Leaves the last state on the screen. */
  end(): void;
}

const WIDTH = 24;
const REDRAW_MS = 100;
/** In a log. */
const LINE_MS = 10_000;

/** Returns one on standard error. */
export function startProgress({ stderr, now }: Pick<Context, 'stderr' | 'now'>): Progress {
  const redraws = stderr.isTTY === true;
  // What is over soon needs no lines in a log.
  let last = { line: '', at: redraws ? -Infinity : now().getTime() };
  let pending = '';
  const write = (): void => {
    if (pending === last.line) return;
    stderr.write(redraws ? `\r\u001B[K${pending}` : `${pending}\n`);
    last = { line: pending, at: now().getTime() };
  };
  return {
    show: (text, share) => {
      pending = share === undefined ? text : `${redraws ? `${bar(share)} ` : ''}${percent(share)}  ${text}`;
      if (now().getTime() - last.at >= (redraws ? REDRAW_MS : LINE_MS)) write();
    },
    end: () => {
      if (last.line === '') return;
      write();
      if (redraws) stderr.write('\n');
    },
  };
}

/** Returns a bar of a fixed width. */
export function bar(share: number): string {
  const full = Math.round(Math.min(Math.max(share, 0), 1) * WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}]`;
}

function percent(share: number): string {
  return `${String(Math.floor(share * 100)).padStart(3)} %`;
}

/** Returns bytes in the unit that people read: `12.3 MB`. */
export function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
