/** One choice as far as it has come. */
export interface Choice {
  readonly index: number;
  text: string;
  finishReason: string | null;
  stopReason: string | null;
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Undefined where the server does not report details of the prompt. */
  readonly cachedTokens: number | undefined;
}

export interface ReplyHead {
  readonly kind: 'chat' | 'completion';
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
}

/** The `usage` of a whole answer; its details are null unless the server runs with --enable-prompt-tokens-details. */
export function usageBody(usage: Usage) {
  const { cachedTokens: cached } = usage;
  return {
    ...countsBody(usage),
    prompt_tokens_details:
      cached === undefined ? null : { cached_tokens: cached, created_cache_tokens: null, multimodal_tokens: null },
    completion_tokens_details: null,
  };
}

function countsBody({ promptTokens, completionTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    completion_tokens: completionTokens,
  };
}

/**
 * What each event of a stream tells where `continuous_usage_stats` asks for it: of its own choice, without details of the
 * prompt. Those of reasoning are set in chats alone, to null without a reasoning parser.
 */
function eachBody({ kind }: ReplyHead, usage: Usage) {
  return { ...countsBody(usage), ...(kind === 'chat' ? { completion_tokens_details: null } : {}) };
}

/** The whole answer to a request without `stream`. */
export function fullReply(head: ReplyHead, choices: readonly Choice[], usage: Usage) {
  const { id, created, model } = head;
  if (head.kind === 'completion') {
    return {
      id,
      object: 'text_completion',
      created,
      model,
      choices: choices.map((choice) => ({
        index: choice.index,
        text: choice.text,
        logprobs: null,
        finish_reason: choice.finishReason,
        stop_reason: choice.stopReason,
        prompt_logprobs: null,
      })),
      service_tier: null,
      system_fingerprint: null,
      usage: usageBody(usage),
      kv_transfer_params: null,
    };
  }
  return {
    id,
    object: 'chat.completion',
    created,
    model,
    choices: choices.map((choice) => ({
      index: choice.index,
      message: {
        role: 'assistant',
        content: choice.text,
        refusal: null,
        annotations: null,
        audio: null,
        function_call: null,
        tool_calls: [],
        reasoning: null,
      },
      logprobs: null,
      finish_reason: choice.finishReason,
      stop_reason: choice.stopReason,
      token_ids: null,
    })),
    service_tier: null,
    system_fingerprint: null,
    usage: usageBody(usage),
    prompt_logprobs: null,
    kv_transfer_params: null,
  };
}

/** One event of a stream: new text of one choice; `role` opens it, a finish reason closes it. */
export function chunk(head: ReplyHead, choice: Choice, text: string, role = false, usage?: Usage) {
  const finish = { finish_reason: choice.finishReason, stop_reason: choice.stopReason };
  const body =
    head.kind === 'completion'
      ? { index: choice.index, text, logprobs: null, ...finish, prompt_token_ids: null, token_ids: null }
      : {
          index: choice.index,
          delta: role ? { role: 'assistant', content: text } : { content: text },
          logprobs: null,
          ...finish,
        };
  return { ...chunkHead(head), choices: [body], ...(usage === undefined ? {} : { usage: eachBody(head, usage) }) };
}

/** The last event before [DONE] where usage was asked for: no choices, and of details only those that there are. */
export function usageChunk(head: ReplyHead, usage: Usage) {
  const { cachedTokens: cached } = usage;
  const details = cached === undefined ? {} : { prompt_tokens_details: { cached_tokens: cached } };
  return { ...chunkHead(head), choices: [], usage: { ...countsBody(usage), ...details } };
}

function chunkHead({ kind, id, created, model }: ReplyHead) {
  return { id, object: kind === 'chat' ? 'chat.completion.chunk' : 'text_completion', created, model };
}
