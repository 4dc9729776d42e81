/** What is typed or piped in and must not be seen. */
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { Interrupted } from './failure.ts';

/** Longer than any token; a file that was named by mistake is not read whole. */
const MAX_CHARACTERS = 10_000;

/** Returns all of standard input. Throws CliFailure where it is too long for a secret. */
export async function readStdin({ stdin, fail }: Context): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > MAX_CHARACTERS) {
      fail('Standard input is too long to be a token.', 'Pipe in the token alone.', EXIT.wrongUse);
    }
  }
  return text;
}

/** Asks at the terminal without showing what is typed. Throws Interrupted after Ctrl-C. */
export async function askHidden({ stdin, stderr }: Context, question: string): Promise<string> {
  stderr.write(question);
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8');
  let text = '';
  try {
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (character === '\r' || character === '\n' || character === '\u0004') return text;
        if (character === '\u0003') throw new Interrupted('Nothing was changed.');
        text = character === '\u007f' || character === '\b' ? text.slice(0, -1) : text + character;
      }
    }
    return text;
  } finally {
    stdin.setRawMode?.(false);
    stdin.pause();
    stderr.write('\n');
  }
}
