/** Every bound of the data path. Times in milliseconds. */
export interface GatewayLimits {
  /** Most bytes of one request body; more is 413. */
  readonly bodyBytes: number;
  /** Most bytes of all bodies that wait or are worked on; more is 503. Bodies are kept until the first byte, for retries. */
  readonly totalBodyBytes: number;
  /** The same of requests of batches, beside them. */
  readonly batchBodyBytes: number;
  /** Caps of request fields. */
  readonly maxChoices: number;
  readonly maxLogprobs: number;
  readonly maxTokens: number;
  readonly maxMessages: number;
  readonly maxTools: number;
  /** Prompts of a completion, inputs of an embedding request. */
  readonly maxInputs: number;

  /** Most bytes of the body of an uploaded file: 200 MiB, and what surrounds it. */
  readonly uploadBytes: number;
  /** Most uploads, and most of all requests for files and batches, at one time: of one key, and of all. */
  readonly uploadsOfKey: number;
  readonly uploads: number;
  readonly transfersOfKey: number;
  readonly transfers: number;
  /** How long neither end of such a request may move, and how long an upload and the reading of an answer may take. */
  readonly transferStallMs: number;
  readonly uploadTimeoutMs: number;
  readonly downloadTimeoutMs: number;

  /** Most streams of deployment events under way, of one key and of all, and how often each is sent a comment. */
  readonly viewersOfKey: number;
  readonly viewers: number;
  readonly viewHeartbeatMs: number;

  readonly connectTimeoutMs: number;
  /** From the request to the first bytes of a stream. */
  readonly firstByteTimeoutMs: number;
  /** From the request to the first bytes of an answer that is not streamed, thus to nearly all of it. */
  readonly unaryTimeoutMs: number;
  /** Between two pieces of an answer. */
  readonly chunkTimeoutMs: number;
  /** How long a client may take no byte while some wait for it. */
  readonly clientStallMs: number;

  /** Most requests of a deployment that wait for a replica. */
  readonly heldRequests: number;
  /** Most of batches, beside them: whoever runs a batch sends them again. */
  readonly heldBatchRequests: number;
  readonly streamHoldTimeoutMs: number;
  readonly heartbeatMs: number;
  /** Until a replica that failed a request is tried again for it, where no other serves. */
  readonly retryPauseMs: number;

  /** Most bytes of an answer that is not streamed held back, so that another replica can still be asked. */
  readonly bufferedReplyBytes: number;
  /** Most bytes of one event of a stream. */
  readonly eventBytes: number;

  /** Failures in a row after which a replica is left out, and for how long. */
  readonly ejectionFailures: number;
  readonly ejectionMs: number;
  readonly probeIntervalMs: number;
  readonly probeMisses: number;

  /** Between two readings of a replica's /metrics while it has requests, how long one may take, and its most bytes. */
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
  readonly scrapeBytes: number;
}

export const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytes: 8 * 1024 * 1024,
  totalBodyBytes: 256 * 1024 * 1024,
  batchBodyBytes: 64 * 1024 * 1024,
  maxChoices: 64,
  maxLogprobs: 20,
  maxTokens: 1024 * 1024,
  maxMessages: 4096,
  maxTools: 128,
  maxInputs: 2048,
  uploadBytes: 201 * 1024 * 1024,
  uploadsOfKey: 8,
  uploads: 64,
  transfersOfKey: 64,
  transfers: 256,
  transferStallMs: 60_000,
  uploadTimeoutMs: 3_600_000,
  downloadTimeoutMs: 3_600_000,
  viewersOfKey: 64,
  viewers: 512,
  viewHeartbeatMs: 15_000,
  connectTimeoutMs: 2_000,
  firstByteTimeoutMs: 300_000,
  unaryTimeoutMs: 3_600_000,
  chunkTimeoutMs: 60_000,
  clientStallMs: 60_000,
  heldRequests: 256,
  heldBatchRequests: 64,
  streamHoldTimeoutMs: 300_000,
  heartbeatMs: 10_000,
  retryPauseMs: 2_500,
  bufferedReplyBytes: 8 * 1024 * 1024,
  eventBytes: 8 * 1024 * 1024,
  ejectionFailures: 5,
  ejectionMs: 30_000,
  probeIntervalMs: 2_000,
  probeMisses: 3,
  scrapeIntervalMs: 5_000,
  scrapeTimeoutMs: 2_000,
  scrapeBytes: 2 * 1024 * 1024,
};
