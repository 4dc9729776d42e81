/** What the Files and Batches routes answer, in OpenAI's words where OpenAI has an answer. */
import { GatewayError } from '../gateway/errors.ts';

/** Where the client is told to try again and nobody knows when it will help. */
const RETRY_SECONDS = 5;

/** For what stays wrong however often it is sent: OpenAI's clients repeat 409, 429 and 5xx otherwise. */
const NO_RETRY = { 'x-should-retry': 'false' };

/** A request that must be changed. */
export function badRequest(code: string | null, message: string, param: string | null = null): GatewayError {
  return new GatewayError({ status: 400, type: 'invalid_request_error', code, message, param });
}

export function missingParameter(param: string): GatewayError {
  return badRequest('missing_required_parameter', `Missing required parameter: '${param}'.`, param);
}

/** `expected` and `got` with their article, `a string` for example. */
export function wrongType(param: string, expected: string, got: string): GatewayError {
  return badRequest(
    'invalid_type',
    `Invalid type for '${param}': expected ${expected}, but got ${got} instead.`,
    param,
  );
}

export function unsupportedValue(param: string, value: string, supported: readonly string[]): GatewayError {
  const list = supported.map((one) => `'${one}'`).join(', ');
  const which = supported.length === 1 ? `Value must be ${list}.` : `Supported values are: ${list}.`;
  return badRequest('invalid_value', `Invalid value: '${value.slice(0, 100)}'. ${which}`, param);
}

export function integerOutside(param: string, value: number, { from, to }: { from: number; to: number }): GatewayError {
  const [code, side, bound] =
    value < from
      ? ['integer_below_min_value', 'below minimum', `>= ${from}`]
      : ['integer_above_max_value', 'above maximum', `<= ${to}`];
  const message = `Invalid '${param}': integer ${side} value. Expected a value ${bound}, but got ${value} instead.`;
  return badRequest(code, message, param);
}

export function tooManyProperties(param: string, count: number, most: number): GatewayError {
  const message = `Invalid '${param}': too many properties. Expected at most ${most}, but got ${count} instead.`;
  return badRequest('object_above_max_properties', message, param);
}

export function stringTooLong(param: string, length: number, most: number): GatewayError {
  const message = `Invalid '${param}': string too long. Expected at most ${most} characters, but got ${length} instead.`;
  return badRequest('string_above_max_length', message, param);
}

/** The same for a file that never was, one that expired, and one of another namespace. */
export function fileNotFound(id: string): GatewayError {
  const message = `No such File object: ${id.slice(0, 100)}`;
  return new GatewayError({ status: 404, type: 'invalid_request_error', code: null, message, param: 'id' });
}

/** The same as fileNotFound, where a list is to go on behind it. */
export function unknownPlace(id: string): GatewayError {
  const message = `No such File object: ${id.slice(0, 100)}`;
  return new GatewayError({ status: 404, type: 'invalid_request_error', code: null, message, param: 'after' });
}

export function notJsonLines(): GatewayError {
  return badRequest(null, 'Invalid file format for Batch API. Must be .jsonl');
}

export function purposeNotKept(purpose: string): GatewayError {
  const message = `Invalid value: '${purpose.slice(0, 100)}'. Infer keeps files for batches only; send the purpose 'batch'.`;
  return badRequest('invalid_value', message, 'purpose');
}

export function malformedForm(why: string): GatewayError {
  return badRequest('invalid_multipart_form_data', `The body is not a form with a file: ${why}`);
}

export function notAForm(): GatewayError {
  const message = 'The body must be a form with a file, sent with "Content-Type: multipart/form-data; boundary=...".';
  return new GatewayError({ status: 415, type: 'invalid_request_error', code: 'unsupported_media_type', message });
}

export function fileTooLarge(mostBytes: number): GatewayError {
  const message = `The file has more than the ${mostBytes} bytes that are allowed. Split it into several batches.`;
  return new GatewayError({
    status: 413,
    type: 'invalid_request_error',
    code: 'file_too_large',
    message,
    param: 'file',
  });
}

export function namespaceFull(mostBytes: number): GatewayError {
  return new GatewayError({
    status: 429,
    type: 'rate_limit_error',
    code: 'storage_quota_exceeded',
    message: `The files of the namespace have the ${mostBytes} bytes that are allowed. Delete some that are not needed.`,
    headers: NO_RETRY,
  });
}

export function rangeNotSatisfiable(bytes: number): GatewayError {
  return new GatewayError({
    status: 416,
    type: 'invalid_request_error',
    code: 'range_not_satisfiable',
    message: `The file has ${bytes} bytes; ask for a range of these.`,
    headers: { 'content-range': `bytes */${bytes}` },
  });
}

export function uploadStalled(seconds: number): GatewayError {
  const message = `No byte of the file came for ${seconds} s. Send it again.`;
  return new GatewayError({ status: 408, type: 'invalid_request_error', code: 'upload_stalled', message });
}

export function uploadTooSlow(bytesPerSecond: number): GatewayError {
  const message = `The file came in at less than ${bytesPerSecond} bytes a second. Send it on a faster connection.`;
  return new GatewayError({ status: 408, type: 'invalid_request_error', code: 'upload_too_slow', message });
}

export function emptyFile(): GatewayError {
  return badRequest('empty_file', 'The file is empty. Write one request a line.', 'file');
}

/** `what` in the plural. */
export function tooManyOfNamespace(what: string, most: number): GatewayError {
  return new GatewayError({
    status: 429,
    type: 'rate_limit_error',
    code: 'rate_limit_exceeded',
    message: `The namespace has ${most} ${what} under way already, the most that are allowed. Wait for one to end.`,
    headers: { 'retry-after': String(RETRY_SECONDS) },
  });
}

/** `what` in the plural. */
export function tooManyOfAll(what: string): GatewayError {
  return unavailable('overloaded', `Too many ${what} are under way. Try again shortly.`);
}

/** The same for a batch that never was and one of another namespace. */
export function batchNotFound(id: string): GatewayError {
  const message = `No batch found with id '${id.slice(0, 100)}'.`;
  return new GatewayError({ status: 404, type: 'invalid_request_error', code: null, message });
}

export function cannotCancel(status: string): GatewayError {
  const message = `Cannot cancel a batch with status '${status}'.`;
  return new GatewayError({ status: 409, type: 'invalid_request_error', code: null, message, headers: NO_RETRY });
}

export function tooManyBatches(most: number): GatewayError {
  return new GatewayError({
    status: 429,
    type: 'rate_limit_error',
    code: 'too_many_batches',
    message: `The namespace has ${most} batches that have not ended. Wait for some of them, or cancel some.`,
    headers: { 'retry-after': '60', ...NO_RETRY },
  });
}

export function quotaReached(): GatewayError {
  const message =
    "The namespace's ResourceQuota allows no more InferenceBatches. Delete some, or ask for a larger quota.";
  return new GatewayError({
    status: 429,
    type: 'rate_limit_error',
    code: 'too_many_batches',
    message,
    headers: NO_RETRY,
  });
}

export function storeUnavailable(cause: unknown): GatewayError {
  return unavailable('store_unavailable', 'The store of files cannot be reached. Try again shortly.', cause);
}

/**
 * No more room: 503, because 507 is taken for a client's fault by some proxies, and not tried again, because nothing is
 * freed within the seconds that a client waits.
 */
export function storeFull(cause: unknown): GatewayError {
  const message = 'The store of files is full. Delete files that are not needed, or tell whoever runs Infer.';
  return new GatewayError({
    status: 503,
    type: 'server_error',
    code: 'storage_full',
    message,
    headers: NO_RETRY,
    cause,
  });
}

export function kubernetesUnavailable(cause: unknown): GatewayError {
  return unavailable('kubernetes_unavailable', 'Kubernetes cannot be reached. Try again shortly.', cause);
}

export function internalError(cause: unknown): GatewayError {
  const message = 'The request could not be handled.';
  return new GatewayError({ status: 500, type: 'server_error', code: 'internal_error', message, cause });
}

function unavailable(code: string, message: string, cause?: unknown): GatewayError {
  const headers = { 'retry-after': String(RETRY_SECONDS) };
  return new GatewayError({ status: 503, type: 'server_error', code, message, headers, cause });
}

export function notJson(): GatewayError {
  const message = 'The body must be JSON, sent with "Content-Type: application/json".';
  return new GatewayError({ status: 415, type: 'invalid_request_error', code: 'unsupported_media_type', message });
}
