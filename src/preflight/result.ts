/** What the preflight program tells the operator, through the termination message of its container. */
import { z } from 'zod';
import type { DownloadReason } from './failure.ts';

/** What is known of a model before anything of it is downloaded. */
export interface ModelFacts {
  /** The commit that the revision named, 40 hex digits. */
  commit: string;
  /** Bytes of the safetensors files that vLLM loads. */
  weightBytes: number;
  /** Bytes of all files that a download brings. */
  totalBytes: number;
  /** Bytes of weights that are stored as 32-bit floats, which vLLM usually halves; absent where nobody has counted. */
  float32Bytes?: number | undefined;
  /** Tokens, as vLLM derives them from the model's configuration; absent where that does not say. */
  contextLength?: number | undefined;
  /** Whether its owner asks everyone to accept terms first. */
  gated: boolean;
  license?: string | undefined;
  /** The class that runs the model, by its name in Transformers. Absent in repositories of Mistral's own format. */
  architecture?: string | undefined;
  /** How the weights are stored quantized, by the name in the configuration. */
  quantization?: string | undefined;
  /** Number format of weights that are not quantized, as `bfloat16`. */
  dtype?: string | undefined;
  /** Only where every layer keeps plain keys and values of all tokens; then a KV cache can be computed from it. */
  attention?: AttentionShape | undefined;
  /** In the order of the spec. */
  adapters: AdapterFacts[];
}

export interface AttentionShape {
  layers: number;
  kvHeads: number;
  headDim: number;
}

export interface AdapterFacts {
  name: string;
  commit: string;
  /** Bytes of the files that a download brings. */
  bytes: number;
  rank: number;
}

const REASONS = [
  'InvalidSettings',
  'ModelNotFound',
  'RevisionNotFound',
  'ModelGated',
  'TokenInvalid',
  'NoSafetensors',
  'ModelRefused',
  'AdapterRefused',
  'HubUnreachable',
  'Unexpected',
] as const satisfies readonly (DownloadReason | 'Unexpected')[];

export type PreflightReason = (typeof REASONS)[number];

export interface PreflightFailure {
  reason: PreflightReason;
  /** One sentence for the user. From another container: make it fit for status before it is shown. */
  message: string;
}

export type PreflightResult = { facts: ModelFacts } | { failure: PreflightFailure };

/** What Kubernetes keeps of a termination message; as many adapters as a spec may have, with the longest names, fit. */
const MAX_RESULT_BYTES = 4096;
const MAX_MESSAGE_CHARACTERS = 1_000;
const MAX_ADAPTERS = 32;

/** Longest context that a spec may ask for, in tokens. */
export const MAX_CONTEXT_LENGTH = 16_777_216;

const commit = z.string().regex(/^[0-9a-f]{40}$/);
const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const words = z.string().regex(/^[\x20-\x7e]{1,128}$/);
const attention = z.object({
  layers: z.number().int().min(1).max(10_000),
  kvHeads: z.number().int().min(1).max(10_000),
  headDim: z.number().int().min(1).max(100_000),
});
/** Names of fields would not fit for each of them. */
const adapter = z
  .tuple([z.string().regex(/^[a-z][-a-z0-9]{0,39}$/), commit, bytes, z.number().int().min(1).max(512)])
  .transform(([name, commitOfAdapter, size, rank]) => ({ name, commit: commitOfAdapter, bytes: size, rank }));

const resultSchema = z.union([
  z.object({
    facts: z.object({
      commit,
      weightBytes: bytes,
      totalBytes: bytes,
      float32Bytes: bytes.optional(),
      contextLength: z.number().int().min(1).max(MAX_CONTEXT_LENGTH).optional(),
      gated: z.boolean(),
      license: words.optional(),
      architecture: words.optional(),
      quantization: words.optional(),
      dtype: words.optional(),
      attention: attention.optional(),
      adapters: z.array(adapter).max(MAX_ADAPTERS),
    }),
  }),
  z.object({
    failure: z.object({ reason: z.enum(REASONS), message: z.string().min(1).max(MAX_MESSAGE_CHARACTERS) }),
  }),
]);

/** Returns the result as JSON that fits into a termination message; the message of a failure is cut where it must be. */
export function formatResult(result: PreflightResult): string {
  if ('facts' in result) {
    const adapters = result.facts.adapters.map(({ name, commit: at, bytes: size, rank }) => [name, at, size, rank]);
    return JSON.stringify({ facts: { ...result.facts, adapters } });
  }
  const { reason, message } = result.failure;
  // JSON writes a control character as six.
  const printable = message.replaceAll(/\p{C}+/gu, ' ').slice(0, MAX_MESSAGE_CHARACTERS);
  return JSON.stringify({ failure: { reason, message: printable } });
}

/**
 * Returns what a termination message says, or undefined for anything that the program would not have written: any pod
 * of a namespace may end with any text.
 */
export function parseResult(text: string | undefined): PreflightResult | undefined {
  if (text === undefined || Buffer.byteLength(text) > MAX_RESULT_BYTES) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return resultSchema.safeParse(value).data;
}

/** Returns whether the program may end with this reason. */
export function isPreflightReason(reason: string): reason is PreflightReason {
  return REASONS.some((known) => known === reason);
}
