import { StoreFull, StoreUnavailable } from './object-store.ts';

/** What is read of an error of the SDK; all else in it may tell of credentials. */
interface S3Failure {
  readonly name?: string;
  /** Of an error of the network, such as ECONNREFUSED. */
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const FULL = new Set(['QuotaExceeded', 'NoSpaceLeftOnDevice', 'InsufficientStorage', 'XMinioStorageFull', '507']);
const OTHER_REGION = new Set([
  'PermanentRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
]);

/** The name of an error of S3 or its SDK, such as NoSuchKey. */
export function nameOf(error: unknown): string | undefined {
  return (error as S3Failure | undefined)?.name;
}

/** The HTTP status of S3's answer, undefined where there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as S3Failure | undefined)?.$metadata?.httpStatusCode;
}

/**
 * Returns what a failed request means to users of the store, where it is not that an object is missing. The error itself is
 * not kept as the cause: a log would show it with the request and its signature.
 */
export function s3Error(error: unknown, bucket: string): Error {
  const { name = 'Error', code } = error as S3Failure;
  const status = statusOf(error);
  if (FULL.has(name) || status === 507) {
    return new StoreFull(`The bucket ${bucket} is full (${name}): raise its quota or delete files.`);
  }
  if (name === 'CredentialsProviderError') {
    return new StoreUnavailable(
      `There are no credentials for the bucket ${bucket}: mount a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the ServiceAccount a role.`,
    );
  }
  if (OTHER_REGION.has(name) || status === 301) {
    return new StoreUnavailable(`The bucket ${bucket} is in another region: set INFER_STORE_S3_REGION to that.`);
  }
  if (name === 'NoSuchBucket' || status === 404) {
    return new StoreUnavailable(
      `The bucket ${bucket} does not exist: create it, or set INFER_STORE_S3_BUCKET to one that does.`,
    );
  }
  if (status === 401 || status === 403) {
    return new StoreUnavailable(
      `The bucket ${bucket} refused access (${status} ${name}): give these credentials leave to get, put, list and delete its objects, or set others.`,
    );
  }
  const what = status === undefined ? `no answer, ${code ?? name}` : `${status} ${name}`;
  return new StoreUnavailable(
    `The bucket ${bucket} cannot be used (${what}): check its server, INFER_STORE_S3_ENDPOINT and the network.`,
  );
}
