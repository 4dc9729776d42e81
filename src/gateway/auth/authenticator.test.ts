import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { APIKey, APIKeySpec } from '../../api/generated/api-key.ts';
import { createAuthenticator } from './authenticator.ts';
import { createKey } from './key.ts';

const NOW = new Date('2026-11-22T10:00:00Z');

function made(
  spec: Partial<APIKeySpec> = {},
  place = { namespace: 'team-a', name: 'web' },
): { key: string; resource: APIKey } {
  const { key, keyId, hash } = createKey({ ...place, keyId: 'abcdefgh', randomBytes });
  return { key, resource: { metadata: place, spec: { keyId, hash, ...spec } } };
}

function over(...resources: APIKey[]): ReturnType<typeof createAuthenticator> {
  return createAuthenticator((keyId) => resources.filter(({ spec }) => spec.keyId === keyId));
}

describe('a key', () => {
  test('is known by what its resource says', () => {
    const { key, resource } = made();
    expect(over(resource).authenticate(`Bearer ${key}`, NOW)).toEqual({
      keyId: 'abcdefgh',
      namespace: 'team-a',
      name: 'web',
      scopes: new Set(['inference']),
    });
    expect(over(resource).authenticate(`bearer ${key}`, NOW)).toBeDefined();
  });

  test('of scope admin may do all of it', () => {
    const { key, resource } = made({ scopes: ['admin'] });
    expect(over(resource).authenticate(`Bearer ${key}`, NOW)?.scopes).toEqual(
      new Set(['inference', 'files', 'view', 'admin']),
    );
  });

  test('with another secret is refused', () => {
    const { resource } = made();
    expect(over(resource).authenticate(`Bearer ${made().key}`, NOW)).toBeUndefined();
  });

  test('that nobody has is refused', () => {
    expect(over().authenticate(`Bearer ${made().key}`, NOW)).toBeUndefined();
  });

  test('whose keyId another namespace uses too is still told apart', () => {
    const one = made();
    const other = made({}, { namespace: 'team-b', name: 'web' });
    const authenticator = over(one.resource, other.resource);
    expect(authenticator.authenticate(`Bearer ${one.key}`, NOW)?.namespace).toBe('team-a');
    expect(authenticator.authenticate(`Bearer ${other.key}`, NOW)?.namespace).toBe('team-b');
  });

  test.each([
    ['namespace', { namespace: 'team-b', name: 'web' }],
    ['name', { namespace: 'team-a', name: 'other' }],
  ])('gives nothing to who copies its hash to another %s', (_, metadata) => {
    const { key, resource } = made();
    expect(over({ ...resource, metadata }).authenticate(`Bearer ${key}`, NOW)).toBeUndefined();
  });

  test.each<[string, Partial<APIKeySpec>, boolean]>([
    ['that is disabled', { disabled: true }, false],
    ['that is over', { expiresAt: '2026-11-22T09:59:59Z' }, false],
    ['that is over at this moment', { expiresAt: '2026-11-22T10:00:00Z' }, false],
    ['that is over tomorrow', { expiresAt: '2026-11-23T10:00:00+01:00' }, true],
    ['with a time that cannot be read', { expiresAt: 'soon' }, false],
    ['with a hash that is none', { hash: 'sha256:abcd' }, false],
  ])('%s', (_, spec, accepted) => {
    const { key, resource } = made(spec);
    expect(over(resource).authenticate(`Bearer ${key}`, NOW) !== undefined).toBe(accepted);
  });

  test('is refused once its resource is gone', () => {
    const { key, resource } = made();
    let keys = [resource];
    const authenticator = createAuthenticator(() => keys);
    expect(authenticator.authenticate(`Bearer ${key}`, NOW)).toBeDefined();
    keys = [];
    expect(authenticator.authenticate(`Bearer ${key}`, NOW)).toBeUndefined();
  });
});

describe('a header', () => {
  const { key, resource } = made();
  test.each([
    ['that is absent', undefined],
    ['that is empty', ''],
    ['of another scheme', `Basic ${key}`],
    ['without a scheme', key],
    ['with two blanks', `Bearer  ${key}`],
    ['with two keys', `Bearer ${key} ${key}`],
    ['of a megabyte', `Bearer ${'x'.repeat(1_000_000)}`],
  ])('%s is refused, and no key is looked up', (_, header) => {
    let asked = 0;
    const authenticator = createAuthenticator(() => {
      asked += 1;
      return [resource];
    });
    expect(authenticator.authenticate(header, NOW)).toBeUndefined();
    expect(asked).toBe(0);
  });
});
