/**
 * Sessions of the page, sealed: AES-256-GCM (NIST SP 800-38D) over who signed in and when, so that a browser holds no API
 * key and a gateway keeps no list of sessions. `1.KEY.IV+CIPHERTEXT+TAG`, the last part in base64url.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { SealingKey } from '../../channel/messages.ts';

/** The names of an APIKey are the longest part, 253 and 63 characters. */
const MAX_SEALED_LENGTH = 1_024;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const FORMAT = /^1\.([\w-]{8,16})\.([\w-]+)$/;

const sessionSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  keyId: z.string(),
  /** Unix milliseconds. */
  issuedAtMs: z.number(),
  /** hashDigest() of the key's hash: another secret of the same name ends the session. */
  hashDigest: z.string(),
});

/** Which APIKey signed in, and when. */
export type Session = z.output<typeof sessionSchema>;

/** Returns the session as text that only holders of `key` can read or make. */
export function seal(session: Session, key: SealingKey): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key.key, 'base64url'), iv);
  cipher.setAAD(purposeOf(key.id));
  const text = Buffer.concat([cipher.update(JSON.stringify(session), 'utf8'), cipher.final()]);
  return `1.${key.id}.${Buffer.concat([iv, text, cipher.getAuthTag()]).toString('base64url')}`;
}

/** Returns what was sealed; undefined for what was not, or with a key that `find` does not know. */
export function open(sealed: string, find: (id: string) => SealingKey | undefined): Session | undefined {
  const [id = '', body = ''] = partsOf(sealed);
  const key = find(id);
  const bytes = Buffer.from(body, 'base64url');
  if (key === undefined || bytes.length <= IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key.key, 'base64url'), bytes.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(purposeOf(id));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
    return sessionSchema.safeParse(JSON.parse(text.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Returns the id of the key that a text of this form says it was sealed with; undefined for another. */
export function sealingKeyOf(sealed: string): string | undefined {
  return partsOf(sealed)[0];
}

function partsOf(sealed: string): string[] {
  return sealed.length > MAX_SEALED_LENGTH ? [] : (FORMAT.exec(sealed)?.slice(1) ?? []);
}

/** Returns what a session holds of `spec.hash` of its APIKey. */
export function hashDigest(hash: string): string {
  return createHash('sha256').update(`infer-session-v1\n${hash}`).digest('base64url');
}

function purposeOf(keyId: string): Buffer {
  return Buffer.from(`infer-session-v1\n${keyId}`);
}
