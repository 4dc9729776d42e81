import { expect, test } from '@jest/globals';
import { apiVersionOf, compareResourceVersions, objectKey, parseKey, resourceName } from './types.ts';

test.each([
  ['9', '10', -1],
  ['10', '10', 0],
  ['18446744073709551615', '18446744073709551614', 1],
  ['9007199254740993', '9007199254740992', 1],
  [undefined, '1', undefined],
  ['1', 'opaque', undefined],
])('resourceVersion %s against %s is %s', (a, b, sign) => {
  const order = compareResourceVersions(a, b);
  expect(order === undefined ? undefined : Math.sign(order)).toBe(sign);
});

test.each([{ name: 'cluster-wide' }, { namespace: 'team-a', name: 'chat' }])(
  'the key of %o leads back to it',
  (ref) => {
    expect(parseKey(objectKey(ref))).toEqual(ref);
  },
);

test('a kind of the core group has no group in its names', () => {
  const pods = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
  const deployments = { group: 'apps', version: 'v1', kind: 'Deployment', plural: 'deployments', namespaced: true };
  expect([apiVersionOf(pods), resourceName(pods)]).toEqual(['v1', 'pods']);
  expect([apiVersionOf(deployments), resourceName(deployments)]).toEqual(['apps/v1', 'deployments.apps']);
});
