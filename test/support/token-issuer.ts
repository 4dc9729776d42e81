/** Stands in for the API server where the load channel's ends prove who they are: it signs tokens and publishes its keys. */
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { TokenRequestSpec } from '../../src/kube/client-options.ts';
import type { ObjectReference } from '../../src/kube/types.ts';

export class TokenIssuer {
  readonly issuer: string;
  /** Requests for tokens so far. */
  requests = 0;
  lifetimeSeconds = 3600;
  #key: { id: string; privateKey: CryptoKey; publicKey: JWK };

  private constructor(issuer: string, key: { id: string; privateKey: CryptoKey; publicKey: JWK }) {
    this.issuer = issuer;
    this.#key = key;
  }

  static async create(issuer = 'https://kubernetes.default.svc'): Promise<TokenIssuer> {
    return new TokenIssuer(issuer, await newKey('first'));
  }

  /** Signs with another key from now on, and publishes only that. */
  async rotate(): Promise<void> {
    this.#key = await newKey('second');
  }

  async requestToken(
    account: Required<ObjectReference>,
    spec: TokenRequestSpec,
  ): Promise<{ token: string; expiresAt: Date }> {
    this.requests += 1;
    const now = Math.floor(Date.now() / 1000);
    const expires = now + this.lifetimeSeconds;
    const { name, uid } = spec.boundObjectRef ?? {};
    const token = await new SignJWT({ 'kubernetes.io': { namespace: account.namespace, pod: { name, uid } } })
      .setProtectedHeader({ alg: 'ES256', kid: this.#key.id })
      .setIssuer(this.issuer)
      .setAudience(spec.audiences)
      .setSubject(`system:serviceaccount:${account.namespace}:${account.name}`)
      .setIssuedAt(now)
      .setExpirationTime(expires)
      .sign(this.#key.privateKey);
    return { token, expiresAt: new Date(expires * 1000) };
  }

  async getText(): Promise<string> {
    return JSON.stringify({ keys: [{ ...this.#key.publicKey, kid: this.#key.id, alg: 'ES256', use: 'sig' }] });
  }
}

async function newKey(id: string): Promise<{ id: string; privateKey: CryptoKey; publicKey: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  return { id, privateKey, publicKey: await exportJWK(publicKey) };
}
