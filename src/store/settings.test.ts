import { expect, test } from '@jest/globals';
import { readStoreSettings } from './settings.ts';

const BUCKET = { INFER_STORE_S3_BUCKET: 'files', INFER_STORE_S3_REGION: 'eu-central-1' };

test('a folder', () => {
  expect(readStoreSettings({ INFER_STORE_FOLDER: '/data', INFER_STORE_S3_BUCKET: '' })).toEqual({
    kind: 'folder',
    folder: '/data',
  });
});

test('a bucket of AWS', () => {
  expect(readStoreSettings(BUCKET)).toEqual({
    kind: 's3',
    bucket: 'files',
    endpoint: undefined,
    region: 'eu-central-1',
    prefix: '',
    pathStyle: false,
  });
  const { INFER_STORE_S3_REGION: region, ...rest } = BUCKET;
  expect(readStoreSettings({ ...rest, AWS_REGION: region })).toMatchObject({ region });
});

test('a bucket of another server has its name in the path, unless told otherwise', () => {
  const other = { INFER_STORE_S3_BUCKET: 'files', INFER_STORE_S3_ENDPOINT: 'https://s3.example.com/' };
  expect(readStoreSettings({ ...other, INFER_STORE_S3_PREFIX: 'team/infer' })).toEqual({
    kind: 's3',
    bucket: 'files',
    endpoint: 'https://s3.example.com',
    region: 'us-east-1',
    prefix: 'team/infer',
    pathStyle: true,
  });
  expect(readStoreSettings({ ...other, INFER_STORE_S3_PATH_STYLE: 'false' })).toMatchObject({ pathStyle: false });
});

test.each([
  ['INFER_STORE_FOLDER or INFER_STORE_S3_BUCKET', {}],
  ['INFER_STORE_FOLDER or INFER_STORE_S3_BUCKET', { ...BUCKET, INFER_STORE_FOLDER: '/data' }],
  ['INFER_STORE_S3_BUCKET', { ...BUCKET, INFER_STORE_S3_BUCKET: 's3://files' }],
  ['INFER_STORE_S3_REGION', { ...BUCKET, INFER_STORE_S3_REGION: '' }],
  ['INFER_STORE_S3_ENDPOINT', { ...BUCKET, INFER_STORE_S3_ENDPOINT: 's3.example.com' }],
  ['INFER_STORE_S3_PREFIX', { ...BUCKET, INFER_STORE_S3_PREFIX: 'infer/' }],
  ['INFER_STORE_S3_PATH_STYLE', { ...BUCKET, INFER_STORE_S3_PATH_STYLE: 'yes' }],
])('a wrong setting is refused by its name: %s', (name, environment) => {
  expect(() => readStoreSettings(environment)).toThrow(name);
});
