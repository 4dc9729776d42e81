import { expect, test } from '@jest/globals';
import { ApiError, ConnectionError, isNamespaceTerminating } from './errors.ts';

test.each([
  ['says so', new ApiError('m', { status: 403, details: { causes: [{ reason: 'NamespaceTerminating' }] } }), true],
  ['forbids for another reason', new ApiError('m', { status: 403, details: { causes: [{ reason: 'x' }] } }), false],
  ['gives no cause', new ApiError('m', { status: 403 }), false],
  ['does not answer', new ConnectionError('m'), false],
])('a namespace goes where the API server %s', (_sentence, error, going) => {
  expect(isNamespaceTerminating(error)).toBe(going);
});
