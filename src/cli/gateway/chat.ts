/** `infer chat`: one question, or a conversation. */
import { fstatSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { addAbortSignal, type Readable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { CliFailure, failureText } from '../failure.ts';
import { printable } from '../printable.ts';
import { withGateway, type GatewayOptions } from './access.ts';
import { ask, type AskOptions, type Message, type Question } from './ask.ts';
import type { GatewayClient } from './client.ts';
import { converse } from './conversation.ts';
import { explainGateway } from './explain.ts';
import { Thoughts } from './thoughts.ts';

export interface ChatOptions extends GatewayOptions {
  deployment?: string;
  /** `-`: what standard input holds. */
  prompt?: string;
  /** Whether standard input follows the prompt. */
  stdin?: boolean;
  system?: string;
  maxTokens?: number;
  temperature?: number;
  /** In seconds. */
  waitTimeout: number;
}

/** Answers the prompt or what is piped in; holds a conversation in a terminal without either. */
export async function chat(context: Context, options: ChatOptions): Promise<void> {
  const prompt = await readPrompt(context, options);
  await withGateway(context, options, async (client) => {
    const model = options.deployment ?? (await onlyModel(context, client));
    const session = new Session(context, client, model, options);
    if (prompt === undefined) await session.hold();
    else await session.answerOnce(prompt);
  });
}

/**
 * Returns the question; undefined where a conversation is to be held. With a prompt standard input is read only if that is
 * asked for: it may be the list that a shell's loop reads, or never end.
 */
async function readPrompt(context: Context, { prompt, stdin }: ChatOptions): Promise<string | undefined> {
  const isGiven = prompt !== undefined && prompt !== '-';
  if (isGiven && stdin !== true && isRedirected(context.stdin)) {
    context.note('Standard input is not read; use --stdin to have it follow the prompt.');
  }
  if (prompt === undefined && stdin !== true && context.stdin.isTTY === true) return undefined;
  const piped =
    isGiven && stdin !== true ? '' : (await readAll(addAbortSignal(context.signal, context.stdin as Readable))).trim();
  const parts = [isGiven ? prompt : '', piped].filter((part) => part !== '');
  if (parts.length > 0) return parts.join('\n\n');
  return context.fail('There is nothing to ask.', 'Name a prompt by -p "Hello", or pipe one in.', EXIT.wrongUse);
}

/**
 * Whether standard input is a file or a pipe, which somebody may have meant to be asked. Whether a pipe holds anything is not
 * known without reading it, which would take it from the loop that it may belong to.
 */
function isRedirected({ fd }: { fd?: number }): boolean {
  if (fd === undefined) return false;
  try {
    const stats = fstatSync(fd);
    return stats.isFIFO() || (stats.isFile() && stats.size > 0);
  } catch {
    // It is closed.
    return false;
  }
}

/** Returns the deployment where there is one only; adapters of a deployment have a colon in their id. */
async function onlyModel(context: Context, client: GatewayClient): Promise<string> {
  const { data } = await client.json<{ data: { id: string; parent?: string }[] }>('/models', {
    signal: context.signal,
  });
  const ids = data.filter(({ parent }) => parent === undefined).map(({ id }) => id);
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return id;
  if (id === undefined) {
    return context.fail('There is no deployment to talk to.', 'Make one: infer deploy MODEL --wait', EXIT.notFound);
  }
  return context.fail(`There are several deployments: ${ids.join(', ')}.`, 'Choose one by -d ID.', EXIT.wrongUse);
}

class Session {
  readonly #context: Context;
  readonly #client: GatewayClient;
  readonly #question: Omit<Question, 'messages'>;
  readonly #system: string | undefined;
  readonly #patienceMs: number;

  constructor(context: Context, client: GatewayClient, model: string, options: ChatOptions) {
    this.#context = context;
    this.#client = client;
    this.#system = options.system;
    this.#patienceMs = options.waitTimeout * 1000;
    this.#question = {
      model,
      ...(options.maxTokens !== undefined && { max_tokens: options.maxTokens }),
      ...(options.temperature !== undefined && { temperature: options.temperature }),
    };
  }

  async answerOnce(content: string): Promise<void> {
    const system: Message[] = this.#system === undefined ? [] : [{ role: 'system', content: this.#system }];
    await this.#write([...system, { role: 'user', content }], this.#context.signal);
  }

  async hold(): Promise<void> {
    const { stdin, stderr, isTerminal } = this.#context;
    // What is typed and said beside answers goes to standard error, so that answers alone are in a pipe.
    const editor = createInterface({ input: stdin, output: stderr, terminal: true, prompt: '> ' });
    let stop: AbortController | undefined;
    editor.on('SIGINT', () => {
      if (stop !== undefined) stop.abort();
      else {
        stderr.write('\n(Ctrl-D ends)\n');
        editor.prompt();
      }
    });
    try {
      await converse({
        lines: editor,
        system: this.#system,
        prompt: () => editor.prompt(),
        note: (line) => this.#context.note(line),
        answer: async (messages) => {
          stop = new AbortController();
          try {
            return await this.#write(messages, stop.signal);
          } catch (error) {
            const failure = error instanceof CliFailure ? error : explainGateway(error);
            if (stop.signal.aborted) this.#context.note('\n(stopped)');
            else if (failure === undefined) throw error;
            else stderr.write(failureText(failure));
            return undefined;
          } finally {
            stop = undefined;
          }
        },
      });
    } finally {
      editor.close();
      if (isTerminal) this.#context.note('');
    }
  }

  /** Writes the answer as it comes, and returns it. Throws CliFailure for one that is empty. */
  async #write(messages: readonly Message[], signal: AbortSignal): Promise<string> {
    const { stdout } = this.#context;
    const thoughts = new Thoughts(this.#context);
    let answer = '';
    let reason: string;
    const options: AskOptions = {
      signal,
      patienceMs: this.#patienceMs,
      onText: (text) => {
        thoughts.end();
        answer += text;
        stdout.write(text);
      },
      onReasoning: (text) => thoughts.show(text),
      onWait: (seconds, refusal) => this.#tellWait(seconds, refusal),
    };
    try {
      reason = await ask(this.#client, { ...this.#question, messages }, options);
    } finally {
      thoughts.end();
      if (answer !== '' && !answer.endsWith('\n')) stdout.write('\n');
    }
    if (answer === '') return this.#failEmpty(reason);
    if (reason === 'length')
      this.#context.note('(cut at the most tokens that were allowed: --max-tokens, or the context length)');
    return answer;
  }

  #failEmpty(reason: string): never {
    return this.#context.fail(
      `${this.#question.model} gave an empty answer (${printable(reason)}).`,
      reason === 'length' ? 'Allow it more tokens: --max-tokens.' : 'Ask in other words.',
    );
  }

  #tellWait(seconds: number, refusal: string | undefined): void {
    if (refusal !== undefined) return this.#context.note(`${refusal} infer does so by itself; Ctrl-C ends it.`);
    const { model } = this.#question;
    this.#context.note(`${model}: no answer for ${Math.round(seconds)} s; a replica may be starting. Ctrl-C ends.`);
  }
}
