/** What the batch process asks of the gateways: to answer requests on behalf of a key, and what load there is. */

/** The APIKey on whose behalf something is asked. */
export interface OnBehalf {
  readonly namespace: string;
  readonly key: string;
}

/** A deployment by its names. */
export interface DeploymentName {
  readonly namespace: string;
  readonly name: string;
}

/** What came back for one request. */
export interface Answer {
  readonly status: number;
  readonly requestId: string;
  /** Of the answer, whole: JSON from engines and gateways. */
  readonly body: Buffer;
  /** What the answer asks to wait before another try. */
  readonly retryAfterSeconds: number | undefined;
}

/** What all gateways together know of a deployment's load now. */
export interface DeploymentLoad {
  /** Replicas that serve. */
  readonly replicas: number;
  /** Requests of clients that are being answered or wait for a replica. */
  readonly onlineRequests: number;
  /** Since a client's request was under way last, in milliseconds; 0 while one is. */
  readonly onlineIdleMs: number;
  /** Requests of batches that are being answered or wait for a replica, whoever sent them. */
  readonly batchRequests: number;
  /** Requests that wait in the engines for room, over all replicas, as they said last. */
  readonly engineWaiting: number;
  /** Share of its KV cache in use of the fullest replica, 0 to 1. */
  readonly kvCacheUsage: number;
  /** A gateway that may carry online requests did not answer: what it carries is not known. */
  readonly partial: boolean;
}

/** Gateways as the worker needs them. */
export interface BatchGateways {
  /**
   * Returns the deployment that `model` means for the key; undefined for what does not exist or may not be reached, as for
   * every other client. Throws KeyRefused, or GatewaysUnavailable where none answered.
   */
  resolve(onBehalf: OnBehalf, model: string, signal: AbortSignal): Promise<DeploymentName | undefined>;
  /**
   * Sends one request and returns its answer, whatever its status. Throws GatewaysUnavailable where no gateway could be
   * reached or the connection broke: whether an engine worked on it is not known then.
   */
  send(onBehalf: OnBehalf, path: string, body: Buffer, signal: AbortSignal): Promise<Answer>;
  /** Returns the load of a deployment. Throws GatewaysUnavailable where no gateway answered. */
  load(deployment: DeploymentName, signal: AbortSignal): Promise<DeploymentLoad>;
}

/** No gateway could be reached, or a connection broke. */
export class GatewaysUnavailable extends Error {
  override readonly name = 'GatewaysUnavailable';
}

/** The key does not exist any more, is disabled or over, or has neither scope `files` nor `inference`. */
export class KeyRefused extends Error {
  override readonly name = 'KeyRefused';
}
