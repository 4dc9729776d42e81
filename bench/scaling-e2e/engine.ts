/**
 * The simulated engine that replicas run in this bench: as its arguments, and as the simulation's engine model.
 *
 * The two have the same rule for the time of a step (base, context, prefill) and the same budget of tokens, and neither
 * fills its KV cache here. They differ in this:
 * - The engine takes a prompt for context already in the step that computes it. The model has that as a longer time for
 *   each prompt token, which is exact for prompts of one step.
 * - A request that comes within a step waits for its end in the engine and begins at once in the model.
 * Together that is 0.3 % of the latency (a test holds it). What the model does not have at all: the gateways' time, and
 * that the engine's steps are timers of processes that share processors.
 */
import type { EngineModel } from '../autoscaler/engine-model.ts';

/** So slow that a replica serves between one and two requests a second, and five a second take three or four of them. */
const STEP_MS = 12;
const CONTEXT_TOKEN_MS = 0.001;
const PREFILL_TOKENS_PER_SECOND = 20_000;
const LOAD_SECONDS = 15;
const BATCHED_TOKENS = 2_048;
const SEATS = 256;
const KV_BLOCKS = 27_000;
const TOKENS_PER_KV_BLOCK = 16;

export const ENGINE_ARGUMENTS: readonly string[] = [
  `--max-num-batched-tokens=${BATCHED_TOKENS}`,
  `--max-num-seqs=${SEATS}`,
  `--additional-config=${JSON.stringify({
    environment: {
      SIM_STEP_MS: String(STEP_MS),
      SIM_STEP_US_PER_CONTEXT_TOKEN: String(1_000 * CONTEXT_TOKEN_MS),
      SIM_PREFILL_TOKENS_PER_SECOND: String(PREFILL_TOKENS_PER_SECOND),
      SIM_KV_BLOCKS: String(KV_BLOCKS),
      SIM_LOAD_SECONDS: String(LOAD_SECONDS),
    },
  })}`,
];

export const ENGINE_MODEL: EngineModel = {
  baseMs: STEP_MS,
  perContextTokenMs: CONTEXT_TOKEN_MS,
  perPromptTokenMs: 1_000 / PREFILL_TOKENS_PER_SECOND + CONTEXT_TOKEN_MS,
  gpus: 1,
  batchedTokens: BATCHED_TOKENS,
  seats: SEATS,
  kvCacheTokens: KV_BLOCKS * TOKENS_PER_KV_BLOCK,
};
