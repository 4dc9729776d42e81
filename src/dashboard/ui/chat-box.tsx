import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Conversation, ConversationState } from '../data/conversation.ts';
import { useChanges } from './hooks.ts';

interface ChatBoxProps {
  conversation: Conversation;
  /** The deployment and its adapters, as they are named in requests. */
  models: readonly string[];
  isAllowed: boolean;
}

export function ChatBox({ conversation, models, isAllowed }: ChatBoxProps) {
  return (
    <section aria-labelledby="chat" class="chat">
      <h2 id="chat">Chat</h2>
      {isAllowed ? (
        <Chat conversation={conversation} models={models} />
      ) : (
        <p class="muted">
          This key may look but not chat: it lacks the scope <code>inference</code>. Sign in with one that has it.
        </p>
      )}
    </section>
  );
}

const STATE_WORDS: Readonly<Record<ConversationState, string>> = {
  ready: '',
  waiting: 'Waiting for the first word…',
  thinking: 'The model thinks…',
  answering: 'Answering…',
};

function Chat({ conversation, models }: Omit<ChatBoxProps, 'isAllowed'>) {
  useChanges(conversation.subscribe);
  const [model, setModel] = useState(models[0] ?? '');
  const { messages, note, state } = conversation;
  const isBusy = state !== 'ready';
  return (
    <>
      {models.length > 1 && (
        <p class="chat-model">
          <label for="chat-model">Model</label>
          <select id="chat-model" value={model} onChange={(event) => setModel(event.currentTarget.value)}>
            {models.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </p>
      )}
      <Log conversation={conversation} />
      {note !== undefined && (
        <p class={note.isError ? 'problem' : 'muted'} role={note.isError ? 'alert' : undefined}>
          {note.text}{' '}
          {note.isError && (
            <button type="button" onClick={() => void conversation.sendAgain(model)}>
              Send again
            </button>
          )}
        </p>
      )}
      {/* Spoken when a state begins, not for each word of the answer. */}
      <p role="status" class="muted chat-state">
        {STATE_WORDS[state] || (messages.at(-1)?.role === 'assistant' && note === undefined ? 'Answered.' : '')}
      </p>
      <Composer
        isBusy={isBusy}
        canClear={messages.length > 0}
        onSend={(text) => void conversation.send(model, text)}
        onStop={() => conversation.stop()}
        onClear={() => conversation.clear()}
      />
    </>
  );
}

/** Follows the answer as long as the reader is at its end. */
function Log({ conversation: { messages } }: { conversation: Conversation }) {
  const log = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  useLayoutEffect(() => {
    if (log.current !== null && isAtEnd.current) log.current.scrollTop = log.current.scrollHeight;
  }, [messages]);
  const onScroll = (): void => {
    const element = log.current;
    if (element === null) return;
    isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 24;
  };
  return (
    <div ref={log} class="log" tabIndex={0} role="region" aria-label="Conversation" onScroll={onScroll}>
      {messages.length === 0 && <p class="muted">Nothing said yet. What you write goes to the deployment as it is.</p>}
      {messages.map(({ role, content }, index) => (
        <div key={index} class={`message message-${role}`}>
          <p class="speaker">{role === 'user' ? 'You' : 'Model'}</p>
          <p class="content">{content}</p>
        </div>
      ))}
    </div>
  );
}

interface ComposerProps {
  isBusy: boolean;
  canClear: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
  onClear: () => void;
}

function Composer({ isBusy, canClear, onSend, onStop, onClear }: ComposerProps) {
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const wasBusy = useRef(false);
  useEffect(() => {
    // The button that had the focus is gone.
    if (wasBusy.current && !isBusy && document.activeElement === document.body) field.current?.focus();
    wasBusy.current = isBusy;
  }, [isBusy]);
  const send = (event: Event): void => {
    event.preventDefault();
    if (isBusy || text.trim() === '') return;
    onSend(text);
    setText('');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // An input method ends its composition with Enter, too.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
  };
  return (
    <form class="composer" onSubmit={send}>
      <label for="chat-text" class="visually-hidden">
        Message
      </label>
      <textarea
        id="chat-text"
        ref={field}
        rows={2}
        placeholder="Write a message"
        aria-describedby="chat-hint"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <div class="buttons">
        {isBusy ? (
          <button type="button" onClick={onStop}>
            Stop
          </button>
        ) : (
          <button type="submit" class="primary">
            Send
          </button>
        )}
        {canClear && (
          <button type="button" onClick={onClear}>
            Clear
          </button>
        )}
        <span id="chat-hint" class="muted">
          Enter sends, Shift+Enter begins a line.
        </span>
      </div>
    </form>
  );
}
