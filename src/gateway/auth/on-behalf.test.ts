import { expect, test } from '@jest/globals';
import type { APIKey } from '../../api/generated/api-key.ts';
import { keysByName } from './on-behalf.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

function find(spec: Partial<APIKey['spec']>, name = 'robot') {
  const resource = {
    metadata: { namespace: 'team-a', name: 'robot' },
    spec: { keyId: 'abcdefgh', hash: `sha256:${'0'.repeat(64)}`, ...spec },
  } as APIKey;
  const keys = keysByName({
    get: (reference) => (reference.namespace === 'team-a' && reference.name === 'robot' ? resource : undefined),
  });
  return keys.find('team-a', name, NOW);
}

test.each([[['files']], [['inference']], [['admin']], [undefined]] as const)(
  'a key with the scopes %j may',
  (scopes) => {
    expect(find(scopes ? { scopes: [...scopes] } : {})).toMatchObject({
      namespace: 'team-a',
      name: 'robot',
      keyId: 'abcdefgh',
    });
  },
);

test.each<[string, Partial<APIKey['spec']>]>([
  ['is disabled', { disabled: true }],
  ['is over', { expiresAt: '2025-12-31T23:59:59Z' }],
  ['may only look', { scopes: ['view'] }],
])('a key that %s may not', (_, spec) => {
  expect(find(spec)).toBeUndefined();
});

test('a key that is gone may not', () => {
  expect(find({}, 'another')).toBeUndefined();
});
