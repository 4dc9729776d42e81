import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { createKey, digestOf, MAX_KEY_LENGTH, parseKey } from './key.ts';

const place = { namespace: 'team-a', name: 'web' };
const zeros = (size: number): Uint8Array => new Uint8Array(size);

describe('createKey', () => {
  test('writes the documented format and hash', () => {
    const { key, keyId, hash } = createKey({ ...place, keyId: '7f3k9q2m', randomBytes: zeros });
    const secret = '0'.repeat(43);
    expect(keyId).toBe('7f3k9q2m');
    // Computed elsewhere: python3 -c 'import zlib; zlib.crc32(b"infer_7f3k9q2m_000...")', then base 62.
    expect(key).toBe(`infer_7f3k9q2m_${secret}_4JnWhZ`);
    const text = `infer-key-v1\nteam-a\nweb\n${secret}`;
    expect(hash).toBe(`sha256:${createHash('sha256').update(text).digest('hex')}`);
  });

  test('makes 256 random bits fit: the largest secret has 43 characters too', () => {
    const { key } = createKey({ ...place, randomBytes: (size) => new Uint8Array(size).fill(255) });
    expect(key).toMatch(/^infer_[a-z0-9]{20}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$/);
    expect(parseKey(key)).toBeDefined();
  });

  test('makes another key each time', () => {
    const keys = Array.from({ length: 100 }, () => createKey({ ...place, randomBytes }));
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(100);
    expect(new Set(keys.map(({ hash }) => hash)).size).toBe(100);
    for (const { key } of keys) expect(key.length).toBeLessThanOrEqual(MAX_KEY_LENGTH);
  });

  test.each(['short', 'UPPERCASE', 'with_underscore', 'a'.repeat(33)])('refuses the keyId %s', (keyId) => {
    expect(() => createKey({ ...place, keyId, randomBytes })).toThrow('8 to 32 lower-case letters and digits');
  });
});

describe('parseKey', () => {
  test('finds the parts of every key', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z0-9]{8,32}$/),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (keyId, bytes) => {
          const { key, hash } = createKey({ ...place, keyId, randomBytes: () => bytes });
          const parsed = parseKey(key);
          expect(parsed?.keyId).toBe(keyId);
          expect(`sha256:${digestOf(place, parsed?.secret ?? '').toString('hex')}`).toBe(hash);
        },
      ),
    );
  });

  test('takes no key with one character changed', () => {
    const { key } = createKey({ ...place, keyId: 'abcdefgh', randomBytes });
    const changed = Array.from(
      key,
      (character, at) => key.slice(0, at) + (character === 'x' ? 'y' : 'x') + key.slice(at + 1),
    );
    expect(changed.filter((text) => parseKey(text) !== undefined)).toEqual([]);
  });

  test.each(['', 'infer_', 'sk-1234567890', ' infer_a', 'infer_abcdefgh_secret_0abcde'])('%j is no key', (text) => {
    expect(parseKey(text)).toBeUndefined();
  });

  test('takes none with anything before or after it', () => {
    const { key } = createKey({ ...place, randomBytes });
    for (const text of [` ${key}`, `${key}\n`, `${key} `, `${key}${key}`]) expect(parseKey(text)).toBeUndefined();
  });
});

test('the digest depends on each of its parts, wherever the borders between them are', () => {
  const digests = [
    digestOf({ namespace: 'a', name: 'b' }, 'c'),
    digestOf({ namespace: 'ab', name: '' }, 'c'),
    digestOf({ namespace: 'a', name: '' }, 'bc'),
    digestOf({ namespace: 'b', name: 'a' }, 'c'),
  ];
  expect(new Set(digests.map((digest) => digest.toString('hex'))).size).toBe(digests.length);
});
