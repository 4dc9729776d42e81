/**
 * What the checks with the official openai package for Node share: the same client, expectations and output as checks.py.
 */
import assert from 'node:assert/strict';
import OpenAI, { APIError } from 'openai';

/** Returns a variable of the environment. Throws AssertionError where it is not set. */
export function setting(name: string): string {
  const value = process.env[name];
  assert(value !== undefined, `${name} must be set`);
  return value;
}

const BASE_URL = setting('INFER_BASE_URL');
export const KEY = setting('INFER_API_KEY');
export const MODEL = setting('MODEL');

/** Returns a client. What fails must be seen, so nothing is sent twice. */
export function newClient(apiKey = KEY): OpenAI {
  return new OpenAI({ baseURL: BASE_URL, apiKey, maxRetries: 0, timeout: 60_000 });
}

type ErrorClass = new (...args: never[]) => APIError;

/** Throws AssertionError unless `call` is refused with one of `kinds`, with the four fields of an OpenAI error. */
export async function expectError(call: () => PromiseLike<unknown>, kinds: ErrorClass[], code?: string): Promise<void> {
  const error = await call().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert(error instanceof APIError, `no API error was thrown: ${String(error)}`);
  const names = kinds.map(({ name }) => name).join(' or ');
  assert(
    kinds.some((kind) => error instanceof kind),
    `${error.constructor.name} was thrown, not ${names}: ${error.message}`,
  );
  const body = error.error as Record<string, unknown> | undefined;
  assert(body !== undefined, `the body has no error object: ${error.message}`);
  assert.deepEqual(Object.keys(body).toSorted(), ['code', 'message', 'param', 'type']);
  for (const field of ['message', 'type'])
    assert(typeof body[field] === 'string' && body[field] !== '', `${field} is empty`);
  for (const field of ['param', 'code']) {
    assert(body[field] === null || typeof body[field] === 'string', `${field} is ${String(body[field])}`);
  }
  if (code !== undefined) assert.equal(body['code'], code);
  assert(error.requestID, 'x-request-id is missing');
}

/** Runs the checks, by name, and prints a line of JSON for each; the exit code is 1 where one failed. */
export async function runAll(checks: Readonly<Record<string, () => Promise<void>>>): Promise<void> {
  for (const [check, run] of Object.entries(checks)) {
    try {
      await run();
      console.log(JSON.stringify({ check, ok: true }));
    } catch (error) {
      console.error(error);
      console.log(JSON.stringify({ check, ok: false, error: String(error) }));
      process.exitCode = 1;
    }
  }
}
