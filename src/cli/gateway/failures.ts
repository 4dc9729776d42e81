/** What can go wrong between the CLI and a gateway. */

/** The gateway answered with an error. */
export class ApiFailure extends Error {
  override name = 'ApiFailure';
  readonly status: number;
  /** Of src/gateway/errors.ts and src/batch/errors.ts; null where the answer has none. */
  readonly code: string | null;
  /** In seconds; undefined where the answer does not say that trying again helps. */
  readonly retryAfter: number | undefined;

  constructor(message: string, fields: { status: number; code?: string | null; retryAfter?: number | undefined }) {
    super(message);
    this.status = fields.status;
    this.code = fields.code ?? null;
    this.retryAfter = fields.retryAfter;
  }
}

/** No gateway answered. */
export class GatewayUnreachable extends Error {
  override name = 'GatewayUnreachable';
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Returns the failure that an answer of 300 and above is. */
export function failureOf(status: number, headers: Headers, text: string): ApiFailure {
  const { message, code } = errorIn(text);
  const seconds = Number(headers['retry-after']);
  const retry = headers['x-should-retry'] !== 'false' && Number.isFinite(seconds);
  const elsewhere = headers['location'];
  if (status < 400 && elsewhere !== undefined) {
    return new ApiFailure(`What answers there is not the gateway: it sends on to ${String(elsewhere)}.`, { status });
  }
  return new ApiFailure(message ?? `The gateway answered with status ${status}: ${text.trim().slice(0, 300)}`, {
    status,
    code: code ?? null,
    retryAfter: retry ? seconds : undefined,
  });
}

/** Returns what OpenAI's error object in this text says; nothing where there is none. */
export function errorIn(text: string): { message?: string; code?: string | null } {
  try {
    const body = JSON.parse(text) as { error?: { message?: unknown; code?: unknown } | null } | null;
    const { message, code } = body?.error ?? {};
    return {
      ...(typeof message === 'string' && { message }),
      ...(typeof code === 'string' && { code }),
    };
  } catch {
    return {};
  }
}
