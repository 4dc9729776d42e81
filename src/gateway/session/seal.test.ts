import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { SharedKeys } from './shared-keys.ts';
import { hashDigest, open, seal, type Session } from './seal.ts';

const session: Session = {
  namespace: 'n'.repeat(63),
  name: 'k'.repeat(253),
  keyId: 'a'.repeat(32),
  issuedAtMs: 1_800_000_000_000,
  hashDigest: hashDigest('sha256:abc'),
};
const keys = new SharedKeys();
const sealed = seal(session, keys.current());
const openIt = (text: string): Session | undefined => open(text, (id) => keys.find(id));

test('what is sealed is opened by whoever has the key, and by nobody else', () => {
  expect(openIt(sealed)).toEqual(session);
  const others = new SharedKeys();
  const other = { ...others.current(), id: keys.current().id };
  expect(open(sealed, () => other)).toBeUndefined();
  expect(open(sealed, () => undefined)).toBeUndefined();
});

test('no two are the same, and none shows what is in it', () => {
  expect(seal(session, keys.current())).not.toBe(sealed);
  expect(Buffer.from(sealed, 'base64url').toString('latin1')).not.toContain('kkkk');
});

test('a changed character anywhere makes it nothing', () => {
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.constantFrom('A', 'B', '.', '-', '~'), (at, character) => {
      const changed = sealed.slice(0, at) + character + sealed.slice(at + 1);
      // The last character of base64url may hold bits that say nothing.
      fc.pre(changed !== sealed && at < sealed.length - 1);
      expect(openIt(changed)).toBeUndefined();
    }),
  );
});

test('any other text is nothing, however long', () => {
  fc.assert(fc.property(fc.string({ maxLength: 2_000 }), (text) => expect(openIt(text)).toBeUndefined()));
  expect(openIt(`${sealed}${'A'.repeat(2_000)}`)).toBeUndefined();
  expect(openIt(`1.${keys.current().id}.AAAA`)).toBeUndefined();
});
