/** Sessions of the page: a cookie stands for an APIKey for as long as that is valid and the same. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { APIKey } from '../../api/generated/api-key.ts';
import { SESSION_MS } from '../../channel/sealing-keys.ts';
import { isValid, keyOfResource } from '../auth/authenticator.ts';
import type { AuthenticatedKey, SessionState } from '../types.ts';
import { cookieHeader, isFromPage, readCookies } from './cookie.ts';
import { hashDigest, open, seal, sealingKeyOf } from './seal.ts';
import type { SharedKeys } from './shared-keys.ts';

/** What of the APIKeys' informer is used. */
export interface KeyResources {
  get(reference: { namespace: string; name: string }): APIKey | undefined;
}

type Sealing = Pick<SharedKeys, 'current' | 'find' | 'others'>;

export class Sessions {
  readonly #sealing: Sealing;
  readonly #resources: KeyResources;

  constructor(sealing: Sealing, resources: KeyResources) {
    this.#sealing = sealing;
    this.#resources = resources;
  }

  /** Returns the Set-Cookie header of a new session of the key; undefined where its APIKey is gone by now. */
  begin(key: AuthenticatedKey, headers: IncomingHttpHeaders, now: Date): string | undefined {
    const { namespace, name, keyId } = key;
    const resource = this.#resources.get({ namespace, name });
    if (resource === undefined) return undefined;
    const session = {
      namespace,
      name,
      keyId,
      issuedAtMs: now.getTime(),
      hashDigest: hashDigest(resource.spec.hash),
    };
    return cookieHeader(seal(session, this.#sealing.current()), SESSION_MS / 1000, headers);
  }

  /** Returns the Set-Cookie header that ends a session at the browser. */
  end(headers: IncomingHttpHeaders): string {
    return cookieHeader('', 0, headers);
  }

  /** Returns the session that a request of the page carries; undefined for none, or where it is over. */
  stateOf(headers: IncomingHttpHeaders, now: Date): SessionState {
    if (headers.cookie === undefined || !isFromPage(headers)) return undefined;
    const cookies = readCookies(headers.cookie);
    for (const cookie of cookies) {
      const session = open(cookie, (id) => this.#sealing.find(id));
      if (session === undefined) continue;
      const resource = this.#resources.get(session);
      const ageMs = now.getTime() - session.issuedAtMs;
      if (resource === undefined || ageMs >= SESSION_MS || !isValid(resource, now)) continue;
      const { keyId, hash } = resource.spec;
      if (keyId === session.keyId && isEqual(hashDigest(hash), session.hashDigest)) {
        return { key: keyOfResource(resource), endsAtMs: session.issuedAtMs + SESSION_MS };
      }
    }
    const isOfOther = cookies.some((cookie) => {
      const id = sealingKeyOf(cookie);
      return id !== undefined && this.#sealing.find(id) === undefined;
    });
    return isOfOther ? this.#sealing.others : undefined;
  }
}

function isEqual(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
