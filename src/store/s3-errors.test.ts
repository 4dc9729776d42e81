import { expect, test } from '@jest/globals';
import { StoreFull, StoreUnavailable } from './object-store.ts';
import { s3Error } from './s3-errors.ts';

test.each([
  [{ name: 'QuotaExceeded', $metadata: { httpStatusCode: 403 } }, StoreFull, 'is full'],
  [{ name: 'XMinioStorageFull', $metadata: { httpStatusCode: 507 } }, StoreFull, 'is full'],
  [{ name: 'CredentialsProviderError' }, StoreUnavailable, 'AWS_ACCESS_KEY_ID'],
  [{ name: 'PermanentRedirect', $metadata: { httpStatusCode: 301 } }, StoreUnavailable, 'INFER_STORE_S3_REGION'],
  [{ name: 'AuthorizationHeaderMalformed', $metadata: { httpStatusCode: 400 } }, StoreUnavailable, 'REGION'],
  [{ name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }, StoreUnavailable, 'create it'],
  [{ name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }, StoreUnavailable, '403 AccessDenied'],
  [{ name: 'SlowDown', $metadata: { httpStatusCode: 503 } }, StoreUnavailable, '503 SlowDown'],
  [{ name: 'Error', code: 'ENOTFOUND' }, StoreUnavailable, 'no answer, ENOTFOUND'],
  [{ name: 'TimeoutError' }, StoreUnavailable, 'no answer, TimeoutError'],
])('%j', (failure, meaning, words) => {
  const error = s3Error(Object.assign(new Error('with a key'), failure), 'files');
  expect(error).toBeInstanceOf(meaning);
  expect(error.message).toContain(words);
  expect(error.message).toContain('files');
  expect(error.message).not.toContain('with a key');
});
