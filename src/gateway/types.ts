/** What the parts of the gateway agree on. */
import type { IncomingHttpHeaders } from 'node:http';

/** What an engine said of itself. Times are `now` values of performance.now(). */
export interface EngineReading {
  /** When the two that follow were said: with an answer, or at a reading of /metrics. */
  readonly at: number;
  /** Requests that wait for room in its batch or its KV cache. */
  readonly waiting: number;
  /** Share of its KV cache in use, 0 to 1. */
  readonly kvCacheUsage: number;
  /** What only /metrics tells; undefined before its first reading. */
  readonly totals: EngineTotals | undefined;
}

export interface EngineTotals {
  readonly at: number;
  /** Requests that it works on together. */
  readonly running: number;
  /** Requests that wait for something other than room, which is no want of capacity. */
  readonly deferred: number;
  /** Since the engine started: tokens of prompts that it took in, and tokens that it made. */
  readonly promptTokens: number;
  readonly generatedTokens: number;
}

/** One engine that a deployment's requests may go to. The gateway's own counts are kept on it. */
export interface Replica {
  /** UID of its pod: names are reused, UIDs are not. */
  readonly podUid: string;
  /** `http://IP:PORT`. */
  readonly origin: string;
  /** Kubernetes says that it is ready and not terminating. */
  serving: boolean;
  /** The scaler has chosen it to go: it is sent nothing more while another serves. */
  draining: boolean;
  /** Requests of this gateway that it works on. */
  inFlight: number;
  /** Those among them that are of batches. */
  batchInFlight: number;
  /** Estimated tokens, of prompt and answer, of the requests in flight. */
  outstandingTokens: number;
  /** What its engine said last; absent where it has said nothing. */
  engine?: EngineReading;
}

/** A deployment as requests see it. */
export interface Deployment {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Unix seconds, for `created` of GET /models. */
  readonly created: number;
  /** Stopped by its owner: requests are refused at once. */
  readonly suspended: boolean;
  /** How long a request that does not stream waits for a replica. */
  readonly holdTimeoutSeconds: number;
  /** All that are known, serving or not; the same objects as long as a pod lives. */
  replicas(): readonly Replica[];
  /**
   * Returns in how many seconds, 1 or more, a replica may be expected to serve, by how long one took before; undefined where
   * that is not known, or over already. `nowMs` is in Unix milliseconds; `waitedSeconds` is for how long one has been waited
   * for at least.
   */
  readyInSeconds(nowMs: number, waitedSeconds: number): number | undefined;
  /** It was deleted: nothing will serve its requests any more. */
  readonly removed: boolean;
  /** Calls `listener` whenever a replica begins or ends to serve, or the deployment; returns how to stop that. */
  onReplicasChange(listener: () => void): () => void;
}

export type Scope = 'inference' | 'files' | 'view' | 'admin';

/** An API key that was checked. */
export interface AuthenticatedKey {
  /** The public part: the only part that logs and metrics may name. */
  readonly keyId: string;
  /** The namespace whose deployments it reaches, beside those of others that let its keys in. */
  readonly namespace: string;
  /** Name of the APIKey resource. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
}

export interface Authenticator {
  /** Returns the key that an Authorization header carries; undefined for none, a wrong, disabled or expired one. */
  authenticate(authorization: string | undefined, now: Date): AuthenticatedKey | undefined;
  /** Returns the session that a request of the page carries; absent where there are no sessions. */
  bySession?(headers: IncomingHttpHeaders, now: Date): SessionState;
}

/**
 * What a request's session is: open; of a sealing key that may still be heard of, within the next moments or once an
 * operator leads; or none, which is final.
 */
export type SessionState = OpenSession | 'known soon' | 'known later' | undefined;

export interface OpenSession {
  readonly key: AuthenticatedKey;
  /** Unix milliseconds. */
  readonly endsAtMs: number;
}

/** A model as clients name it. */
export interface ServedModel<D extends Deployment = Deployment> {
  /** What a client sends as `model`. */
  readonly id: string;
  readonly deployment: D;
  /** What its engines call it. */
  readonly engineModel: string;
  /** Of a LoRA adapter: the id of the model that it adapts. */
  readonly parent: string | undefined;
}

export interface Registry {
  /**
   * Returns what `model` (`[NAMESPACE/]NAME[:ADAPTER]`) means for this key; undefined for what does not exist and, so that
   * nobody can tell, for what the key may not reach.
   */
  resolve(key: AuthenticatedKey, model: string): ServedModel | undefined;
  /** Returns the deployment of this name; undefined where there is none. */
  find(namespace: string, name: string): Deployment | undefined;
  /** Returns the models that the key reaches, each by the name that the key's requests must send, in order. */
  list(key: AuthenticatedKey): ServedModel[];
}

/**
 * Returns the serving replica to send a request to, none of `exclude` (pod UIDs), and one that is draining only where no
 * other serves; undefined when there is none.
 */
export type ReplicaPicker = (
  replicas: readonly Replica[],
  request: { estimatedTokens: number },
  exclude: ReadonlySet<string>,
) => Replica | undefined;
