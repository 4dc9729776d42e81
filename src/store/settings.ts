/** The settings of the store, from the environment; read once at start. */
import { httpUrl, type Environment } from '../process/environment.ts';
import { isKey } from './keys.ts';

/** A bucket of S3 or of a server like it. */
export interface S3Settings {
  readonly kind: 's3';
  readonly bucket: string;
  /** URL of a server that is not AWS. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** What all keys begin with, without a slash at its end; empty for the whole bucket. */
  readonly prefix: string;
  /** Whether the bucket stands in the path of a URL, not in its host. */
  readonly pathStyle: boolean;
}

/** A folder that belongs to one process. */
export interface FolderSettings {
  readonly kind: 'folder';
  readonly folder: string;
}

export type StoreSettings = FolderSettings | S3Settings;

/** Room for the keys below it: S3 takes 1,024 bytes. */
const MAX_PREFIX = 256;

/** Returns the settings in `environment`. Throws an Error that names a variable that is wrong. */
export function readStoreSettings(environment: Environment): StoreSettings {
  const folder = environment['INFER_STORE_FOLDER'];
  const bucket = environment['INFER_STORE_S3_BUCKET'];
  if (Boolean(folder) === Boolean(bucket)) {
    throw new Error('Set either INFER_STORE_FOLDER or INFER_STORE_S3_BUCKET: files lie in a folder or in a bucket.');
  }
  return folder ? { kind: 'folder', folder } : s3Settings(environment, bucket ?? '');
}

function s3Settings(environment: Environment, bucket: string): S3Settings {
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new Error(`INFER_STORE_S3_BUCKET is ${JSON.stringify(bucket)}; set it to the name of a bucket.`);
  }
  const address = environment['INFER_STORE_S3_ENDPOINT'];
  const endpoint = address ? httpUrl('INFER_STORE_S3_ENDPOINT', address, 'https://s3.example.com') : undefined;
  const region =
    environment['INFER_STORE_S3_REGION'] ||
    environment['AWS_REGION'] ||
    // Servers that are not AWS have one region, and most call it so.
    (endpoint === undefined ? undefined : 'us-east-1');
  if (region === undefined) throw new Error('Set INFER_STORE_S3_REGION to the region of the bucket.');
  const prefix = environment['INFER_STORE_S3_PREFIX'] || '';
  if (prefix !== '' && (!isKey(prefix) || prefix.length > MAX_PREFIX)) {
    throw new Error(
      `INFER_STORE_S3_PREFIX is ${JSON.stringify(prefix)}; set it to letters, digits, ".", "_" and "-" in parts joined by "/", without one at its ends.`,
    );
  }
  return { kind: 's3', bucket, endpoint, region, prefix, pathStyle: pathStyle(environment, endpoint) };
}

function pathStyle(environment: Environment, endpoint: string | undefined): boolean {
  const value = environment['INFER_STORE_S3_PATH_STYLE'] || String(endpoint !== undefined);
  if (value !== 'true' && value !== 'false') throw new Error('Set INFER_STORE_S3_PATH_STYLE to true or false.');
  return value === 'true';
}
