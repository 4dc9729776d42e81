// Generated from crds/apikeys.yaml by `make generate`; do not edit.
import type { ObjectMeta } from '../../kube/types.ts';

/**
 * APIKey is a key by which a client calls the deployments of its namespace, and those of others that let it in. Only a hash of the key is stored, so the resource can be kept in Git. Infer's gateway checks the key of each request.
 */
export interface APIKey {
  apiVersion?: 'infer.dev/v1alpha1';
  kind?: 'APIKey';
  metadata: ObjectMeta;
  spec: APIKeySpec;
}
/**
 * spec is the hash of the key and what it may do.
 */
export interface APIKeySpec {
  /**
   * keyId is the public part of the key, between its first and second underscore; logs and metrics show it. Example 7f3k9q2m.
   */
  keyId: string;
  /**
   * hash is the SHA-256 over version, namespace, name and secret of the key, so that it is worthless under another name or in another namespace. Example sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.
   */
  hash: string;
  /**
   * scopes are what the key may do: inference (call models), files (files and batches; the requests of batches need no other scope), view (read the status of deployments) and admin (all of it). Default [inference]. Example [inference, files].
   *
   * Items: One scope.
   */
  scopes?: ('inference' | 'files' | 'view' | 'admin')[];
  /**
   * deployments are the names of the deployments that the key reaches, with their aliases and adapters: NAME of one in its own namespace, NAMESPACE/NAME of one in another that lists the key's namespace in its allowKeysFrom. Default: all of its own namespace, and all that let its keys in. Example [llama-8b, team-b/mistral].
   *
   * Items: One deployment.
   */
  deployments?: string[];
  /**
   * requestsPerMinute is how many requests the key may send. Unit requests per minute. Default: no limit. It is not supported by this version of Infer yet. Example 600.
   */
  requestsPerMinute?: number;
  /**
   * tokensPerMinute is how many tokens, prompts and answers together, the key may use. Unit tokens per minute. Default: no limit. It is not supported by this version of Infer yet. Example 200000.
   */
  tokensPerMinute?: number;
  /**
   * maxStreams is how many streamed answers may be under way at the same time. Unit streams. Default: no limit. It is not supported by this version of Infer yet. Example 20.
   */
  maxStreams?: number;
  /**
   * expiresAt is when the key ends to be valid. Default: never. Example "2027-01-01T00:00:00Z".
   */
  expiresAt?: string;
  /**
   * disabled refuses the key at once and keeps the resource. Default false. Example true.
   */
  disabled?: boolean;
}
