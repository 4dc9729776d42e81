/** How a command ends that could not do what it was asked. */
import { EXIT } from './exit-codes.ts';
import { printable } from './printable.ts';
import type { ExitCode } from './exit-codes.ts';

/** `message` says what happened and why, `next` what to do; each a sentence or several lines. */
export class CliFailure extends Error {
  override name = 'CliFailure';
  readonly next: string;
  readonly exitCode: ExitCode;

  constructor(message: string, next: string, exitCode: ExitCode = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.next = next;
    this.exitCode = exitCode;
  }
}

/** The user pressed Ctrl-C; `message` says what goes on all the same. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}

/** Returns what is written to standard error for a failure, with its newline; texts of a cluster may be in it. */
export function failureText({ message, next }: Pick<CliFailure, 'message' | 'next'>): string {
  return `Error: ${indented(message)}\n${next === '' ? '' : `Next:  ${indented(next)}\n`}`;
}

function indented(text: string): string {
  return printable(text).replaceAll('\n', '\n       ');
}
