/** A conversation in a terminal: lines in, answers out, until the user ends it. */
import type { Message } from './ask.ts';

export interface Conversation {
  /** What the user types, a line at a time; it ends with Ctrl-D. */
  readonly lines: AsyncIterable<string>;
  readonly system: string | undefined;
  /** Shows that it is the user's turn. */
  readonly prompt: () => void;
  /** Writes a line that is no part of an answer. */
  readonly note: (line: string) => void;
  /** Writes the answer to these messages and returns it; undefined where the user stopped it or it failed. */
  readonly answer: (messages: readonly Message[]) => Promise<string | undefined>;
}

const HELP = '/reset begins anew, /exit ends. Ctrl-C stops an answer, Ctrl-D ends.';

/** Holds it; resolves when the user ends it. A question without its whole answer is no part of what follows. */
export async function converse(conversation: Conversation): Promise<void> {
  const { system, prompt, note, answer } = conversation;
  const start: Message[] = system === undefined ? [] : [{ role: 'system', content: system }];
  let messages = start;
  note(HELP);
  prompt();
  for await (const line of conversation.lines) {
    const content = line.trim();
    if (content === '/exit' || content === '/quit') return;
    if (content === '/reset') {
      messages = start;
      note('The conversation begins anew.');
    } else if (content === '/help') note(HELP);
    else if (content !== '') {
      const asked: Message[] = [...messages, { role: 'user', content }];
      const text = await answer(asked);
      if (text !== undefined) messages = [...asked, { role: 'assistant', content: text }];
    }
    prompt();
  }
}
