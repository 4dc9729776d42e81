/** A conversation with one deployment; it lasts as long as the page, also while another screen is shown. */
import { ApiError, BASE, call } from './api.ts';
import { readChat, type ChatMessage } from './chat-stream.ts';

export type ConversationState = 'ready' | 'waiting' | 'thinking' | 'answering';

export class Conversation {
  messages: readonly ChatMessage[] = [];
  state: ConversationState = 'ready';
  /** Of the last exchange: what went wrong, or why the answer is not whole. */
  note: { readonly text: string; readonly isError: boolean } | undefined;
  readonly #listeners = new Set<() => void>();
  #sending: AbortController | undefined;

  /** Calls `listener` at each change; returns what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Sends `content` after all that was said, to `model`, and takes the answer piece by piece. Never rejects. */
  async send(model: string, content: string): Promise<void> {
    this.messages = [...this.messages, { role: 'user', content }];
    await this.#ask(model);
  }

  /** Asks for the answer to the last message again. */
  async sendAgain(model: string): Promise<void> {
    if (this.messages.at(-1)?.role === 'assistant') this.messages = this.messages.slice(0, -1);
    await this.#ask(model);
  }

  /** Ends the answer where it is; what is there of it stays. */
  stop(): void {
    this.#sending?.abort();
  }

  /** Forgets what was said. */
  clear(): void {
    this.stop();
    this.#sending = undefined;
    this.messages = [];
    this.note = undefined;
    this.#enter('ready');
  }

  async #ask(model: string): Promise<void> {
    const sending = new AbortController();
    this.#sending = sending;
    this.note = undefined;
    this.#enter('waiting');
    const asked = this.messages;
    try {
      const body = JSON.stringify({ model, messages: answered(asked), stream: true });
      const { signal } = sending;
      const response = await call(`${BASE}/chat/completions`, { method: 'POST', body, signal });
      if (response.body === null) return;
      let content = '';
      for await (const piece of readChat(response.body)) {
        if (this.#sending !== sending) return;
        if (piece.kind === 'text') {
          content += piece.text;
          this.messages = [...asked, { role: 'assistant', content }];
          this.#enter('answering');
        } else if (piece.kind === 'thinking') this.#enter('thinking');
        else this.note = endNote(piece.reason);
      }
    } catch (error) {
      if (this.#sending === sending) this.note = noteOf(error, sending.signal.aborted);
    } finally {
      if (this.#sending === sending) this.#enter('ready');
    }
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #enter(state: ConversationState): void {
    this.state = state;
    this.#tell();
  }
}

/** Without messages that were never answered: templates of many models want speakers to take turns. */
function answered(messages: readonly ChatMessage[]): readonly ChatMessage[] {
  return messages.filter(({ role }, index) => role !== 'user' || messages[index + 1]?.role !== 'user');
}

function endNote(reason: string): Conversation['note'] {
  if (reason !== 'length') return undefined;
  return { text: 'The answer ends here: it reached the longest that the model may say.', isError: false };
}

function noteOf(error: unknown, isStopped: boolean): NonNullable<Conversation['note']> {
  if (isStopped) return { text: 'Stopped.', isError: false };
  if (error instanceof ApiError) return { text: error.message, isError: true };
  return { text: 'The gateway was not reached. Check your connection, then send it again.', isError: true };
}
