import { randomUUID } from 'node:crypto';
import type { VllmArguments } from './arguments.ts';
import { Driver } from './driver.ts';
import { Engine } from './engine.ts';
import { badRequest, draining, engineDead, queueFull, unknownModel, type ApiError } from './errors.ts';
import type { Failure } from './failures.ts';
import { Metrics } from './metrics.ts';
import type { Model } from './model.ts';
import type { Choice, ReplyHead, Usage } from './replies.ts';
import { planAnswer, promptTokens, type TextRequest } from './requests.ts';
import type { SimulatorSettings } from './settings.ts';
import { BLOCK_TOKENS } from './tokenizer.ts';

/** What the HTTP side hears while a request runs. */
export interface RequestListener {
  /** New text of a choice; `usage` is of this choice alone, so far. */
  text(choice: Choice, text: string, usage: () => Usage): void;
  /** All choices have ended. */
  done(choices: readonly Choice[], usage: Usage): void;
  /** The engine died. */
  failed(error: ApiError): void;
}

/** A request that runs; `cancel` when its client has gone. */
export interface RunningRequest {
  readonly head: ReplyHead;
  cancel(): void;
}

/** A loaded vLLM server without its HTTP side: admission, text generation, drain and failures. */
export class Simulator {
  readonly metrics: Metrics;
  readonly maxModelLen: number;
  readonly arguments: VllmArguments;
  readonly model: Model;
  readonly settings: SimulatorSettings;
  /** Set by SIGTERM: new requests are refused while the old ones end. */
  draining = false;
  /** The engine process has died. */
  dead = false;
  /** Called when a failure ends the process; main.ts logs and exits. */
  onFatal: (mode: 'host-oom' | 'gpu-oom' | 'crash') => void = () => {};
  readonly #engine: Engine;
  readonly #driver: Driver;
  readonly #failing = new Map<string, (error: ApiError) => void>();
  #failure: Failure | undefined;
  #accepted = 0;
  #whenIdle: (() => void) | undefined;

  constructor(options: { arguments: VllmArguments; model: Model; settings: SimulatorSettings; failure?: Failure }) {
    const { arguments: args, model, settings } = options;
    this.arguments = args;
    this.model = model;
    this.settings = settings;
    this.#failure = options.failure;
    this.maxModelLen = args.maxModelLen ?? model.maxPositionEmbeddings;
    this.metrics = new Metrics({
      modelName: args.servedModelNames[0] ?? args.model,
      maxModelLen: this.maxModelLen,
      kvBlocks: settings.kvBlocks,
      blockTokens: BLOCK_TOKENS,
      gpuMemoryUtilization: args.gpuMemoryUtilization,
      prefixCaching: args.prefixCaching,
      startedAt: Date.now() / 1000,
    });
    this.#engine = new Engine({
      maxNumSeqs: args.maxNumSeqs,
      maxNumBatchedTokens: args.maxNumBatchedTokens,
      kvBlocks: settings.kvBlocks,
      prefixCaching: args.prefixCaching,
      stepBaseMs: settings.stepBaseMs,
      stepPerContextTokenMs: settings.stepPerContextTokenMs,
      prefillTokensPerMs: settings.prefillTokensPerSecond / 1000,
    });
    this.#driver = new Driver(this.#engine, this.metrics, settings.speed);
  }

  get load() {
    return this.#engine.load;
  }

  /** @throws ApiError 404 where the name is none of --served-model-name or of an adapter; absent means the first. */
  checkModel(name: string | undefined): string {
    const { servedModelNames, loraModules, model } = this.arguments;
    const known =
      name === undefined || servedModelNames.includes(name) || loraModules.some((lora) => lora.name === name);
    if (!known) throw unknownModel(name, servedModelNames);
    return name ?? servedModelNames[0] ?? model;
  }

  /**
   * Admits a request and runs it; the listener hears nothing before this returns.
   * @throws ApiError for an unknown model, a request over the context length, a full queue, a drain or a dead engine.
   */
  start(kind: ReplyHead['kind'], request: TextRequest, listener: RequestListener): RunningRequest {
    const model = this.checkModel(request.model);
    if (this.dead) throw engineDead();
    const { maxChoices } = this.settings;
    if (request.n > maxChoices) throw badRequest(`n must be at most ${maxChoices}, got ${request.n}.`, 'n');
    if (request.autoTools && !(this.arguments.autoToolChoice && this.arguments.toolCallParser !== undefined)) {
      throw badRequest('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set');
    }
    const prompts = request.prompts.map((prompt) => this.#checkedPrompt(kind, request, prompt));
    if (this.draining) throw draining();
    const promptSum = prompts.reduce((sum, { tokens }) => sum + tokens.length, 0);
    this.#checkQueue(prompts.length * request.n);
    this.#accepted += 1;
    const struck = this.#struck ? this.#failure : undefined;
    if (struck !== undefined) this.#strike(struck);

    const head: ReplyHead = {
      kind,
      id: `${kind === 'chat' ? 'chatcmpl' : 'cmpl'}-${randomUUID().replaceAll('-', '')}`,
      created: Math.floor(Date.now() / 1000),
      model,
    };
    // An adapter says something else than its model.
    const weights = this.arguments.loraModules.some(({ name }) => name === model) ? model : '';
    const choices: Choice[] = [];
    const ids: string[] = [];
    let completionTokens = 0;
    let cachedTokens = 0;
    let open = prompts.length * request.n;
    const usage = (): Usage => ({ promptTokens: promptSum, completionTokens, cachedTokens });
    this.#failing.set(head.id, (error) => listener.failed(error));

    for (const [promptIndex, { text, tokens, limit }] of prompts.entries()) {
      this.metrics.accepted(request.n, limit);
      for (let sample = 0; sample < request.n; sample += 1) {
        const answer = planAnswer(request, weights + text, sample, limit, this.settings.answerTokens);
        const index = promptIndex * request.n + sample;
        const choice: Choice = { index, text: request.echo ? text : '', finishReason: null, stopReason: null };
        choices.push(choice);
        const id = `${head.id}-${index}`;
        ids.push(id);
        let told = 0;
        const soFar = (): Usage => ({ promptTokens: tokens.length, completionTokens: told, cachedTokens: undefined });
        this.#driver.submit(
          {
            id,
            promptTokens: tokens,
            answerToken: answer.token,
            answerLength: answer.length,
            finishReason: answer.finishReason,
          },
          {
            token: (position) => {
              completionTokens += 1;
              const first = position === 0;
              const visible = answer.visible(position);
              choice.text += visible;
              if (position + 1 === answer.length) {
                choice.finishReason = answer.finishReason;
                choice.stopReason = answer.stopReason;
              }
              told = position + 1;
              listener.text(choice, first && request.echo ? choice.text : visible, soFar);
            },
            finished: (reason, sequence) => {
              // Of several prompts vLLM tells one: in a stream the first that it has, else the last.
              if (promptIndex === (request.stream ? 0 : prompts.length - 1)) cachedTokens = sequence.cachedTokens;
              if (reason === 'abort') {
                choice.finishReason = 'abort';
                listener.text(choice, '', soFar);
              }
              open -= 1;
              if (open > 0) return;
              this.#failing.delete(head.id);
              listener.done(choices, usage());
              this.#checkIdle();
            },
          },
        );
      }
    }
    const cancel = () => ids.forEach((id) => this.#driver.abort(id));
    if (struck?.mode === 'abort') setImmediate(cancel);
    return { head, cancel };
  }

  /** Ends all requests at once with finish_reason abort. */
  abortAll(): void {
    this.#driver.abortAll();
  }

  /** The engine process has gone: whatever runs gets EngineDeadError, and so does what comes. */
  die(): void {
    this.dead = true;
    this.#driver.hung = true;
    for (const fail of this.#failing.values()) fail(engineDead());
    this.#failing.clear();
  }

  /** Calls back once, as soon as no request runs. */
  whenIdle(callback: () => void): void {
    this.#whenIdle = callback;
    this.#checkIdle();
  }

  /** Sets or (undefined) ends an injected failure; a fatal one without a number of requests strikes at once. */
  inject(failure: Failure | undefined): void {
    this.#accepted = 0;
    this.#failure = failure;
    this.#driver.hung = failure?.mode === 'hang' && failure.after === 0;
    if (failure !== undefined && failure.after === undefined) this.#strike(failure);
  }

  #strike({ mode }: Failure): void {
    if (mode === 'hang') this.#driver.hung = true;
    if (mode === 'crash' || mode === 'gpu-oom' || mode === 'host-oom') setImmediate(() => this.onFatal(mode));
  }

  /** Whether the injected failure strikes the request just accepted: `after` requests go well before. */
  get #struck(): boolean {
    return this.#failure?.after !== undefined && this.#accepted > this.#failure.after;
  }

  #checkIdle(): void {
    if (this.#failing.size > 0) return;
    const callback = this.#whenIdle;
    this.#whenIdle = undefined;
    callback?.();
  }

  #checkedPrompt(kind: ReplyHead['kind'], request: TextRequest, text: string) {
    const tokens = promptTokens(text);
    const most = this.maxModelLen;
    if (tokens.length >= most) {
      throw badRequest(
        `This model's maximum context length is ${most} tokens. However, your request has ${tokens.length} input ` +
          `tokens. Please reduce the length of the ${kind === 'chat' ? 'input messages' : 'input prompt'}.`,
        'input_tokens',
      );
    }
    const asked = request.maxTokens;
    if (asked !== undefined && asked > most - tokens.length) {
      throw badRequest(
        `'max_tokens' or 'max_completion_tokens' is too large: ${asked}. This model's maximum context length is ` +
          `${most} tokens and your request has ${tokens.length} input tokens (${asked} > ${most} - ${tokens.length}).`,
        'max_tokens',
      );
    }
    return { text, tokens, limit: asked ?? most - tokens.length };
  }

  // vLLM counts requests in flight (running and waiting), each choice as one, and whole prompts not yet computed.
  #checkQueue(sequences: number): void {
    const { maxQueuedRequests, maxQueuedTokens } = this.arguments;
    const { running, waiting, waitingTokens } = this.#engine.load;
    if (maxQueuedRequests !== undefined && running + waiting + sequences > maxQueuedRequests) {
      this.metrics.rejected('max_num_queued_reqs');
      throw queueFull(`max_num_queued_reqs (${maxQueuedRequests})`);
    }
    if (maxQueuedTokens !== undefined && waitingTokens >= maxQueuedTokens) {
      this.metrics.rejected('max_num_queued_tokens');
      throw queueFull(`max_num_queued_tokens (${maxQueuedTokens})`);
    }
  }
}
