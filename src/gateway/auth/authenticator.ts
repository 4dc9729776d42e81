/** Who sends a request: the check of its API key against the APIKey resources. */
import { timingSafeEqual } from 'node:crypto';
import type { APIKey } from '../../api/generated/api-key.ts';
import type { AuthenticatedKey, Authenticator, Scope } from '../types.ts';
import { digestOf, MAX_KEY_LENGTH, parseKey } from './key.ts';

const ALL_SCOPES: readonly Scope[] = ['inference', 'files', 'view', 'admin'];
const MAX_HEADER_LENGTH = 'Bearer '.length + MAX_KEY_LENGTH;

/** Compared with where no key has the keyId, so that this takes as long as a wrong secret. No key has this digest. */
const NOBODY = { namespace: 'nobody', name: 'nobody' };
const NO_DIGEST = Buffer.alloc(32);

/** What a resource says, read once: it goes with the object, and a change of the resource is another object. */
interface Prepared {
  readonly digest: Buffer;
  readonly key: AuthenticatedKey;
}

/**
 * Returns an authenticator over the keys that `keysById` finds. A key is refused as soon as the resource that `keysById`
 * returns is changed or gone. Nothing of a header but its keyId may be logged.
 */
export function createAuthenticator(keysById: (keyId: string) => readonly APIKey[]): Authenticator {
  const known = new WeakMap<APIKey, Prepared>();
  const prepared = (resource: APIKey): Prepared => {
    let found = known.get(resource);
    if (found === undefined) known.set(resource, (found = prepare(resource)));
    return found;
  };
  return {
    authenticate(authorization, now) {
      const parsed = parseKey(bearerToken(authorization));
      if (parsed === undefined) return undefined;
      const candidates = keysById(parsed.keyId);
      if (candidates.length === 0) {
        timingSafeEqual(digestOf(NOBODY, parsed.secret), NO_DIGEST);
        return undefined;
      }
      // A keyId may be that of keys in several namespaces: their hashes tell them apart.
      const match = candidates.find((candidate) => hasSecret(prepared(candidate), parsed.secret));
      return match !== undefined && isValid(match, now) ? prepared(match).key : undefined;
    },
  };
}

/** Returns '' for none. The scheme is case-insensitive (RFC 9110, 11.1). A long header is not even looked through. */
function bearerToken(authorization: string | undefined): string {
  if (authorization === undefined || authorization.length > MAX_HEADER_LENGTH) return '';
  return /^bearer ([^ ]+)$/i.exec(authorization)?.[1] ?? '';
}

function hasSecret({ digest: stored, key }: Prepared, secret: string): boolean {
  const digest = digestOf(key, secret);
  return stored.length === digest.length && timingSafeEqual(stored, digest);
}

/** Returns whether a key may be used now: it is neither disabled nor over. */
export function isValid({ spec }: APIKey, now: Date): boolean {
  if (spec.disabled === true) return false;
  // A time that cannot be read is NaN, and compares as over.
  return spec.expiresAt === undefined || now.getTime() < Date.parse(spec.expiresAt);
}

function prepare(resource: APIKey): Prepared {
  return { digest: Buffer.from(resource.spec.hash.replace(/^sha256:/, ''), 'hex'), key: keyOfResource(resource) };
}

/** Returns the key that a resource is of, valid or not. */
export function keyOfResource({ metadata, spec }: APIKey): AuthenticatedKey {
  const scopes: readonly Scope[] = spec.scopes ?? ['inference'];
  return {
    keyId: spec.keyId,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    scopes: new Set(scopes.includes('admin') ? ALL_SCOPES : scopes),
  };
}
