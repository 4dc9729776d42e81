/** What the parts of the gateway agree on. */

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
  /** Estimated tokens, of prompt and answer, of the requests in flight. */
  outstandingTokens: number;
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
