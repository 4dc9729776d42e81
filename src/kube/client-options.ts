/** What the calls of the client take. */
import type { RequestSample } from './metrics.ts';

export interface ClientOptions {
  userAgent?: string;
  /** For the whole of a request that is no watch; default 30,000. */
  requestTimeoutMs?: number;
  /** Called once for each finished request. */
  onRequest?: (sample: RequestSample) => void;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Instead of the client's. */
  timeoutMs?: number;
}

export interface ListOptions extends CallOptions {
  /** Absent lists all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects of one page. */
  limit?: number;
  continueToken?: string;
}

export interface ListPage<T> {
  items: T[];
  resourceVersion: string;
  continueToken?: string;
}

export interface WatchOptions {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion: string;
  /** After which the server ends the watch. */
  timeoutSeconds?: number;
  /** Called when the server has accepted the watch. */
  onOpen?: () => void;
  signal: AbortSignal;
}

export interface DeleteOptions extends CallOptions {
  /** Preconditions: the server refuses with 409 where they do not hold. */
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  /** What becomes of the object's own dependents; the kind's default where absent. */
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/** What all writes take that send an object or a part of one. */
export interface WriteOptions extends CallOptions {
  fieldManager?: string;
  /** The server checks and answers as always, and stores nothing. */
  dryRun?: boolean;
}

/** https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1 */
export interface TokenRequestSpec {
  audiences: string[];
  expirationSeconds: number;
  boundObjectRef?: { apiVersion: string; kind: string; name: string; uid: string };
}
