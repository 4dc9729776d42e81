import type { SlotLimits } from '../process/slots.ts';

/** Every bound of the API of files and batches. */
export interface BatchLimits {
  /** Most bytes of an uploaded file, as OpenAI has it for batches. */
  readonly maxBytes: number;
  /** Bytes of all files of one namespace, beyond which none is uploaded; results of batches are kept all the same. */
  readonly maxNamespaceBytes: number;
  /** Uploads at the same time, of one namespace and of all; each holds some MiB. */
  readonly uploads: SlotLimits;
  /** Contents that are read at the same time. */
  readonly downloads: SlotLimits;
  /** Questions for usage whose answers are made at the same time, each of which holds some ten MiB for that. */
  readonly usage: SlotLimits;
  /** How long a question for usage waits for that before it is refused. */
  readonly usageWaitMs: number;
  /** Questions for usage that wait or whose answers, of some 12 MiB at most, are held until they are read. */
  readonly usageAnswers: SlotLimits;
  /** All other requests at the same time, whose answers of some MiB are held until they are read. */
  readonly others: SlotLimits;
  /** How long one of these may take until its answer is read. */
  readonly answerMs: number;
  /** How long an upload may bring nothing while it is waited for. */
  readonly stallMs: number;
  /** What an upload must bring on average, from twice that time on. */
  readonly leastBytesPerSecond: number;
  /** Batches of one namespace that have not ended. */
  readonly maxUnfinished: number;
  /** Most bytes of a body of JSON. */
  readonly bodyBytes: number;
}

export const DEFAULT_LIMITS: BatchLimits = {
  maxBytes: 200 * 1024 * 1024,
  maxNamespaceBytes: 100 * 1024 ** 3,
  uploads: { ofOne: 4, all: 16 },
  downloads: { ofOne: 8, all: 64 },
  usage: { ofOne: 1, all: 2 },
  usageWaitMs: 5_000,
  usageAnswers: { ofOne: 3, all: 12 },
  others: { ofOne: 16, all: 32 },
  answerMs: 120_000,
  stallMs: 60_000,
  leastBytesPerSecond: 16 * 1024,
  maxUnfinished: 1_000,
  bodyBytes: 256 * 1024,
};
