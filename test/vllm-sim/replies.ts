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

/** The `usage` object; its details are null unless the server runs with --enable-prompt-tokens-details. */
export function usageBody(usage: Usage) {
  return {
    prompt_tokens: usage.promptTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    completion_tokens: usage.completionTokens,
    prompt_tokens_details: usage.cachedTokens === undefined ? null : { cached_tokens: usage.cachedTokens },
  };
}

/** What each event of a stream tells where `continuous_usage_stats` asks for it: of its own choice, without details. */
function countsBody(usage: Usage) {
  const { prompt_tokens_details: _details, ...counts } = usageBody(usage);
  return counts;
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
  return { ...chunkHead(head), choices: [body], ...(usage === undefined ? {} : { usage: countsBody(usage) }) };
}

/** The last event before [DONE] where usage was asked for: no choices. */
export function usageChunk(head: ReplyHead, usage: Usage) {
  return { ...chunkHead(head), choices: [], usage: usageBody(usage) };
}

function chunkHead({ kind, id, created, model }: ReplyHead) {
  return { id, object: kind === 'chat' ? 'chat.completion.chunk' : 'text_completion', created, model };
}
