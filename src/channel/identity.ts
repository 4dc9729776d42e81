/**
 * Who an end of the load channel is: a key of its own, and a ServiceAccount token whose audience names that key. The
 * API server signs the token, and TLS proves that whoever shows it holds the key, so that a token which somebody sees
 * is worth nothing without the key (docs/design/0007-load-channel.md).
 */
import { decodeJwt } from 'jose';
import type { KubeClient } from '../kube/client.ts';
import type { ObjectReference } from '../kube/types.ts';
import { createCertificate, type ChannelCertificate } from './certificate.ts';

/** What a token for the key with this hash has as its audience. */
export function audienceOf(keyHash: string): string {
  return `load-channel.infer.dev/${keyHash}`;
}

export interface IdentityOptions {
  client: Pick<KubeClient, 'requestToken'>;
  /** The process's own ServiceAccount. */
  account: Required<ObjectReference>;
  /** The pod that the tokens are bound to; absent where the process runs outside of a cluster. */
  pod?: { name: string; uid: string };
}

const LIFETIME_SECONDS = 3600;
/** Share of its life after which a token is renewed, as the kubelet does. */
const RENEW_AT = 0.8;

export class ChannelIdentity {
  readonly certificate: ChannelCertificate;
  readonly #options: IdentityOptions;
  /** `renewAtMs` is a performance.now() value. */
  #token: { value: string; issuer: string; renewAtMs: number } | undefined;
  #pending: Promise<void> | undefined;

  constructor(options: IdentityOptions) {
    this.#options = options;
    this.certificate = createCertificate(new Date());
  }

  /**
   * Returns a token to show to a peer, and the issuer that a peer's token must have, too.
   * Throws ApiError or ConnectionError where a new one is needed and the API server gives none.
   */
  async token(): Promise<{ value: string; issuer: string }> {
    if (this.#token === undefined || performance.now() >= this.#token.renewAtMs) {
      this.#pending ??= this.#renew().finally(() => (this.#pending = undefined));
      await this.#pending;
    }
    if (this.#token === undefined) throw new Error('no token was given');
    return this.#token;
  }

  async #renew(): Promise<void> {
    const { client, account, pod } = this.#options;
    const { token, expiresAt } = await client.requestToken(account, {
      audiences: [audienceOf(this.certificate.keyHash)],
      expirationSeconds: LIFETIME_SECONDS,
      ...(pod && { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...pod } }),
    });
    // The API server may give less than was asked for. A clock that is set meanwhile must not keep an old token alive.
    const lifeMs = Math.min(LIFETIME_SECONDS * 1_000, Math.max(0, expiresAt.getTime() - Date.now()));
    this.#token = {
      value: token,
      issuer: decodeJwt(token).iss ?? '',
      renewAtMs: performance.now() + lifeMs * RENEW_AT,
    };
  }
}
