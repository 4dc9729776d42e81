/**
 * The format of API keys: `infer_KEYID_SECRET_CHECKSUM`, for example `infer_7f3k9q2m_…43 characters…_1aB2c3`.
 *
 * - KEYID is public: 8 to 32 lower-case letters and digits.
 * - SECRET is 256 random bits in base 62 (digits, upper-case, lower-case letters), 43 characters.
 * - CHECKSUM is the CRC-32 (as in gzip) of all before its underscore, in base 62, 6 characters: a secret scanner tells
 *   a real key from a look-alike without asking anybody.
 *
 * What is stored is `sha256:` and the SHA-256, in hexadecimal, of the UTF-8 text of four lines that are joined by `\n`
 * with none at the end: `infer-key-v1`, the namespace, the name of the APIKey resource, and the secret. None of them
 * can hold a line break, so that no two sets of lines have the same text; and a hash that is copied to another
 * namespace or name is the hash of no known key. A fast hash is enough: nobody can try 2^256 secrets.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_BYTES = 32;
/** 62^43 is more than 2^256, 62^6 more than 2^32. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
/** 2^100 keyIds: two are equal by chance about never, and may be. */
const KEY_ID_LENGTH = 20;

const KEY_ID = /^[a-z0-9]{8,32}$/;
const KEY = /^(infer_([a-z0-9]{8,32})_([0-9A-Za-z]{43}))_([0-9A-Za-z]{6})$/;

/** No key is longer. */
export const MAX_KEY_LENGTH = 'infer_'.length + 32 + 1 + SECRET_LENGTH + 1 + CHECKSUM_LENGTH;

/** Where the resource of a key is. */
export interface KeyPlace {
  namespace: string;
  name: string;
}

export interface ParsedKey {
  keyId: string;
  secret: string;
}

export interface NewKey {
  /** The key itself, to be shown once. */
  key: string;
  keyId: string;
  /** For `spec.hash` of the APIKey. */
  hash: string;
}

/**
 * Returns a new key for the APIKey at this place; `keyId` is random where it is absent. Throws an Error for a keyId that
 * is not 8 to 32 lower-case letters and digits. `randomBytes` is node:crypto's.
 */
export function createKey(options: KeyPlace & { keyId?: string; randomBytes: (size: number) => Uint8Array }): NewKey {
  const { randomBytes } = options;
  const keyId = options.keyId ?? randomKeyId(randomBytes(KEY_ID_LENGTH));
  if (!KEY_ID.test(keyId)) {
    throw new Error(`${JSON.stringify(keyId)} is no keyId; choose 8 to 32 lower-case letters and digits.`);
  }
  const secret = base62(BigInt(`0x${Buffer.from(randomBytes(SECRET_BYTES)).toString('hex')}`), SECRET_LENGTH);
  const head = `infer_${keyId}_${secret}`;
  return { key: `${head}_${checksum(head)}`, keyId, hash: `sha256:${digestOf(options, secret).toString('hex')}` };
}

/** Returns the parts of a key; undefined for any other text, also for one whose checksum does not fit. */
export function parseKey(text: string): ParsedKey | undefined {
  if (text.length > MAX_KEY_LENGTH) return undefined;
  const [, head = '', keyId = '', secret = '', sum] = KEY.exec(text) ?? [];
  return sum !== undefined && checksum(head) === sum ? { keyId, secret } : undefined;
}

/** Returns the 32 bytes that the hash of a key with this secret has. */
export function digestOf({ namespace, name }: KeyPlace, secret: string): Buffer {
  return hash('sha256', `infer-key-v1\n${namespace}\n${name}\n${secret}`, 'buffer');
}

function checksum(head: string): string {
  return base62(BigInt(crc32(head)), CHECKSUM_LENGTH);
}

function base62(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  for (; rest > 0n; rest /= 62n) text = (ALPHABET[Number(rest % 62n)] ?? '') + text;
  return text.padStart(length, '0');
}

/** 32 of the 36 characters, so that each is equally likely; those that are easily misread are left out. */
function randomKeyId(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => '0123456789abcdefghjkmnpqrstvwxyz'[byte % 32]).join('');
}
