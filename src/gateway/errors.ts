/** The errors that clients see: one catalogue, in OpenAI's shape. */

export type ErrorType = 'invalid_request_error' | 'permission_error' | 'rate_limit_error' | 'server_error';

interface ErrorFields {
  readonly status: number;
  readonly type: ErrorType;
  readonly code: string | null;
  readonly message: string;
  readonly param?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An error with everything that its answer needs. */
export class GatewayError extends Error {
  override name = 'GatewayError';
  readonly status: number;
  readonly type: ErrorType;
  readonly code: string | null;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor({ status, type, code, message, param = null, headers = {}, cause }: ErrorFields) {
    super(message, { cause });
    this.status = status;
    this.type = type;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }

  /** `{"error":{...}}` with all four fields. */
  get body(): string {
    const { message, type, param, code } = this;
    return JSON.stringify({ error: { message, type, param, code } });
  }
}

function invalid(status: number, code: string | null, message: string, param: string | null = null): GatewayError {
  return new GatewayError({ status, type: 'invalid_request_error', code, message, param });
}

export function unknownUrl(method: string, path: string): GatewayError {
  return invalid(404, 'unknown_url', `There is no ${method} ${path.slice(0, 200)} here.`);
}

export function invalidApiKey(given: boolean): GatewayError {
  const message = given
    ? 'The API key is not valid here. Check it, or ask for a new one.'
    : 'No API key was sent. Send it as "Authorization: Bearer KEY".';
  return new GatewayError({
    status: 401,
    type: 'invalid_request_error',
    code: 'invalid_api_key',
    message,
    headers: { 'www-authenticate': 'Bearer' },
  });
}

/** What only our own page may ask, so that no other page can make a browser ask it. */
export function notFromPage(): GatewayError {
  const message = 'Sessions are for the page of this gateway: send "x-infer-page: 1", and from its own origin.';
  return new GatewayError({ status: 403, type: 'permission_error', code: 'not_from_page', message });
}

/** Another gateway may have begun it; clients ask again. */
export function sessionUnknownYet(): GatewayError {
  const message =
    'This gateway does not know the session yet: another one may have begun it. Try again in a few seconds.';
  return unavailable('session_unknown_yet', message, 2);
}

export function tooManySignIns(): GatewayError {
  const message = 'Too many attempts to sign in with this key failed. Wait a minute, and check the key.';
  const headers = { 'retry-after': '60' };
  return new GatewayError({ status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded', message, headers });
}

export function missingScope(scope: string): GatewayError {
  const message = `The API key lacks the scope "${scope}" that this request needs.`;
  return new GatewayError({ status: 403, type: 'permission_error', code: 'missing_scope', message });
}

/** The same for a model that does not exist and one that the key may not reach. */
export function modelNotFound(model: string): GatewayError {
  const message = `The model \`${model.slice(0, 200)}\` does not exist or you do not have access to it.`;
  return invalid(404, 'model_not_found', message, 'model');
}

export function unsupportedMediaType(): GatewayError {
  return invalid(
    415,
    'unsupported_media_type',
    'The body must be JSON, sent with "Content-Type: application/json" and not compressed.',
  );
}

export function bodyTooLarge(limitBytes: number): GatewayError {
  return invalid(413, 'request_too_large', `The body has more than the ${limitBytes} bytes that are allowed.`);
}

export function malformedJson(): GatewayError {
  return invalid(400, 'invalid_json', 'The body is not a JSON object. Check quotes, commas and encoding (UTF-8).');
}

export function malformedRequest(message: string): GatewayError {
  return invalid(400, 'invalid_request', message);
}

export function missingModel(): GatewayError {
  return invalid(400, 'missing_required_parameter', 'You must name the model in the field "model".', 'model');
}

export function refusedField(param: string, why: string): GatewayError {
  return invalid(400, 'unsupported_parameter', `The field "${param}" is not accepted: ${why}`, param);
}

export function invalidValue(param: string, what: string): GatewayError {
  return invalid(400, 'invalid_value', `The field "${param}" ${what}`, param);
}

/** An engine's refusal of a request, in words made fit by engineError. */
export function refusedByEngine(
  status: number,
  code: string | null,
  message: string,
  param: string | null,
): GatewayError {
  return invalid(status, code, message, param);
}

export function unknownDeployment(namespace: string, name: string): GatewayError {
  return invalid(404, 'unknown_deployment', `There is no InferenceDeployment ${namespace}/${name} here.`);
}

function unavailable(code: string, message: string, retryAfterSeconds: number, headers = {}): GatewayError {
  return new GatewayError({
    status: 503,
    type: 'server_error',
    code,
    message,
    headers: { 'retry-after': String(retryAfterSeconds), ...headers },
  });
}

/** Told to wait for longer, OpenAI's client for JavaScript tries again within seconds instead; the one for Python waits. */
const LONGEST_RETRY_SECONDS = 60;
/** Where nobody knows how long a replica takes to start. */
const RETRY_SECONDS = 10;

/** `readyIn` is in how many seconds a replica may be expected; undefined where that is not known. */
function notReady(code: string, message: string, readyIn: number | undefined): GatewayError {
  if (readyIn === undefined) return unavailable(code, `${message} Try again shortly.`, RETRY_SECONDS);
  const retryAfter = Math.min(readyIn, LONGEST_RETRY_SECONDS);
  const headers = { 'x-infer-ready-in': String(readyIn) };
  return unavailable(code, `${message} Try again in about ${readyIn} s.`, retryAfter, headers);
}

export function noReplica(model: string, waitedSeconds: number, readyIn: number | undefined): GatewayError {
  return notReady('model_not_ready', `No replica of \`${model}\` became ready within ${waitedSeconds} s.`, readyIn);
}

/** A rollout that brings an adapter is under way. */
export function modelNotLoaded(model: string): GatewayError {
  return unavailable('model_not_ready', `No replica that serves \`${model}\` is ready yet. Try again shortly.`, 10);
}

/** Retrying does not help until somebody starts it. */
export function deploymentSuspended(model: string): GatewayError {
  const message = `\`${model}\` is stopped by its owner (spec.suspend); ask them to start it again.`;
  const headers = { 'retry-after': '120', 'x-should-retry': 'false' };
  return new GatewayError({ status: 503, type: 'server_error', code: 'model_suspended', message, headers });
}

export function tooManyHeld(model: string, readyIn: number | undefined): GatewayError {
  return notReady('queue_full', `Too many requests wait for a replica of \`${model}\` already.`, readyIn);
}

export function gatewayFull(): GatewayError {
  return unavailable('overloaded', 'The gateway works on as much as it can hold. Try again shortly.', 2);
}

export function replicasFull(model: string): GatewayError {
  return unavailable('overloaded', `The replicas of \`${model}\` are full. Try again shortly.`, 5);
}

export function replicasUnreachable(model: string): GatewayError {
  return unavailable('model_unavailable', `No replica of \`${model}\` took the request. Try again shortly.`, 5);
}

export function shuttingDown(): GatewayError {
  return unavailable('gateway_restarting', 'The gateway is restarting. Send the request again.', 1);
}

/** Nobody runs the batch process here. */
export function batchNotSetUp(): GatewayError {
  const message =
    'Files and batches are not set up in this installation. Ask whoever runs it to install the batch process and to ' +
    'set INFER_BATCH_ADDRESS for the gateways.';
  const headers = { 'retry-after': '120', 'x-should-retry': 'false' };
  return new GatewayError({ status: 503, type: 'server_error', code: 'batch_not_set_up', message, headers });
}

/** Nobody runs the process that keeps what was used. */
export function usageNotKept(): GatewayError {
  const message =
    'Usage is not kept in this installation: the batch process does that. Ask whoever runs it to install that and to ' +
    'set INFER_BATCH_ADDRESS for the gateways.';
  const headers = { 'retry-after': '120', 'x-should-retry': 'false' };
  return new GatewayError({ status: 503, type: 'server_error', code: 'usage_not_kept', message, headers });
}

export function batchUnreachable(): GatewayError {
  const message =
    'The batch process, which keeps files, batches and usage, cannot be reached. Requests to models are not affected. ' +
    'Try again shortly.';
  return unavailable('batch_unreachable', message, RETRY_SECONDS);
}

export function batchTimeout(seconds: number): GatewayError {
  const message = `The batch process, which keeps files, batches and usage, did not answer within ${seconds} s. Try again.`;
  return new GatewayError({ status: 504, type: 'server_error', code: 'batch_timeout', message });
}

export function uploadStalled(seconds: number): GatewayError {
  return invalid(408, 'request_timeout', `Nothing of the body came for ${seconds} s. Send the request again.`);
}

export function uploadTooSlow(seconds: number): GatewayError {
  return invalid(408, 'request_timeout', `The body took more than ${seconds} s to come in. Send it in smaller files.`);
}

/** `what` in the plural. */
export function tooManyAtOnce(what: string, most: number): GatewayError {
  const message = `The API key has ${most} ${what} under way already, the most that are allowed. Wait for one to end.`;
  const headers = { 'retry-after': '5' };
  return new GatewayError({ status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded', message, headers });
}

/** What answered is no engine that is set up as it should be. */
export function badUpstream(): GatewayError {
  const message = 'The replica did not answer as an engine does. Tell whoever runs the deployment.';
  return new GatewayError({ status: 502, type: 'server_error', code: 'upstream_error', message });
}

/** The replica went away while it worked on the request. */
export function upstreamLost(): GatewayError {
  return unavailable('upstream_error', 'The replica that worked on the request went away. Send the request again.', 1);
}

export function upstreamTimeout(): GatewayError {
  const message = 'The replica that worked on the request did not answer in time. Send the request again.';
  return new GatewayError({ status: 504, type: 'server_error', code: 'upstream_timeout', message });
}

export function engineFailed(): GatewayError {
  const message = 'The engine failed while it worked on the request.';
  return new GatewayError({ status: 500, type: 'server_error', code: 'engine_error', message });
}

export function internalError(cause?: unknown): GatewayError {
  const message = 'The gateway failed to handle the request.';
  return new GatewayError({ status: 500, type: 'server_error', code: 'internal_error', message, cause });
}
