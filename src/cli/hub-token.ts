/** Where a Hugging Face token comes from. It is never printed, logged or handed to another program. */
import { readFile } from 'node:fs/promises';
import type { Context } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { askHidden, readStdin } from './hidden-input.ts';

export interface HubToken {
  value: string;
  /** For people: `from HF_TOKEN`. */
  source: string;
}

/** Returns the token that -t names. Throws CliFailure where there is none in it. */
export async function tokenFromFlag(context: Context, flag: string): Promise<HubToken> {
  if (flag === '-') {
    const asks = context.stdin.isTTY === true;
    const value = asks ? await askHidden(context, 'Hugging Face token (not shown): ') : await readStdin(context);
    return checked(context, value, asks ? 'as typed' : 'from standard input');
  }
  if (flag.startsWith('@')) {
    const file = flag.slice(1);
    try {
      return checked(context, await readFile(file, 'utf8'), `from ${file}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return context.fail(
        `The token's file ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
        'Name a file that holds the token alone: -t @FILE.',
        EXIT.wrongUse,
      );
    }
  }
  context.note(
    'Warning: the token is now in the history of your shell and was visible in the list of processes. Next time use -t -, -t @FILE or HF_TOKEN.',
  );
  return checked(context, flag, 'from --hf-token');
}

/** Returns the token in HF_TOKEN; undefined where it is not set. */
export function tokenFromEnvironment(context: Context): HubToken | undefined {
  const value = context.env['HF_TOKEN'];
  return value === undefined || value.trim() === '' ? undefined : checked(context, value, 'from HF_TOKEN');
}

/** Asks for a token where a person can answer; undefined where none can, or does. */
export async function askForToken(context: Context): Promise<HubToken | undefined> {
  if (context.stdin.isTTY !== true || context.stderr.isTTY !== true) return undefined;
  const value = await askHidden(context, 'Hugging Face token (not shown; Enter for none): ');
  return value.trim() === '' ? undefined : checked(context, value, 'as typed');
}

function checked(context: Context, text: string, source: string): HubToken {
  const value = text.trim();
  if (!/^[\u0021-\u007e]+$/.test(value)) {
    context.fail(
      `There is no token ${source}: a token is one word of letters and digits, such as hf_….`,
      'Make one at https://huggingface.co/settings/tokens.',
      EXIT.wrongUse,
    );
  }
  return { value, source };
}
