/** Checks who the other end of the load channel is, by its token and the key of its connection. */
import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import type { KubeClient } from '../kube/client.ts';
import type { ObjectReference } from '../kube/types.ts';
import { audienceOf } from './identity.ts';

/** Where every API server publishes the keys that it signs ServiceAccount tokens with; all accounts may read it. */
const KEYS_PATH = '/openid/v1/jwks';
/** API servers answer with nothing else there. */
const KEYS_TYPE = 'application/jwk-set+json';
/** A token of an unknown key makes the keys be read again, at most this often: anyone can invent key ids. */
const REREAD_MS = 10_000;
const CLOCK_TOLERANCE_SECONDS = 60;
/** What API servers sign with; never `none`, never a shared secret. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

export interface Peer {
  /** The pod that its token is bound to; undefined where it runs outside of a cluster. */
  podUid: string | undefined;
  /** When the token ends, in Unix milliseconds. */
  expiresAtMs: number;
}

export interface PeerExpectation {
  /** Hash of the key that the connection was made with. */
  keyHash: string;
  account: Required<ObjectReference>;
  /** That of our own token. */
  issuer: string;
}

export class PeerVerifier {
  readonly #client: Pick<KubeClient, 'getText'>;
  #keys: ReturnType<typeof createLocalJWKSet> | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;

  constructor(client: Pick<KubeClient, 'getText'>) {
    this.#client = client;
  }

  /**
   * Returns who shows `token`. Throws an Error that says what is wrong with it, or ApiError and ConnectionError where
   * the keys could not be read.
   */
  async verify(token: string, expected: PeerExpectation): Promise<Peer> {
    const payload = await this.#payload(token, {
      issuer: expected.issuer,
      audience: audienceOf(expected.keyHash),
      subject: `system:serviceaccount:${expected.account.namespace}:${expected.account.name}`,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp'],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    return { podUid: podUidOf(payload), expiresAtMs: (payload.exp ?? 0) * 1000 };
  }

  async #payload(token: string, options: Parameters<typeof jwtVerify>[2]): Promise<JWTPayload> {
    if (this.#keys === undefined) await this.#read();
    try {
      return await this.#verified(token, options);
    } catch (error) {
      // The keys were rotated, or restored with another control plane: under a known id there may be another key.
      const unknownKey =
        error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWSSignatureVerificationFailed;
      if (!unknownKey || performance.now() - this.#readAtMs < REREAD_MS) throw error;
      await this.#read();
      return await this.#verified(token, options);
    }
  }

  async #verified(token: string, options: Parameters<typeof jwtVerify>[2]): Promise<JWTPayload> {
    if (this.#keys === undefined) throw new Error('the keys of the API server are not known');
    const { payload } = await jwtVerify(token, this.#keys, options);
    return payload;
  }

  async #read(): Promise<void> {
    this.#reading ??= this.#client
      .getText(KEYS_PATH, {}, { accept: KEYS_TYPE })
      .then((text) => {
        this.#keys = createLocalJWKSet(JSON.parse(text) as JSONWebKeySet);
        this.#readAtMs = performance.now();
      })
      .finally(() => (this.#reading = undefined));
    await this.#reading;
  }
}

/** The claim of bound tokens: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin. */
function podUidOf(payload: JWTPayload): string | undefined {
  const claim = payload['kubernetes.io'] as { pod?: { uid?: unknown } } | undefined;
  return typeof claim?.pod?.uid === 'string' ? claim.pod.uid : undefined;
}
