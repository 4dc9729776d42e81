/** What the engines of the gateway's tests answer, and what their tests expect. */
import type { ServerResponse } from 'node:http';
import { expect } from '@jest/globals';
import type { FakeDeployment } from './gateway.ts';

export const EVENT = 'data: {"id":"c","model":"tiny","choices":[{"delta":{"content":"é"}}]}\n\n';
export const DONE = 'data: [DONE]\n\n';

/** As vLLM writes it. */
export const LOAD_HEADER = 'JSON {"named_metrics": {"num_requests_waiting": 3.0, "kv_cache_usage_perc": 0.25}}';

/** Sends a head with fields that no client may see. */
export function head(response: ServerResponse, type = 'text/event-stream; charset=utf-8'): void {
  response.writeHead(200, {
    'content-type': type,
    'x-secret': 'engine',
    'set-cookie': 'a=b',
    'endpoint-load-metrics': LOAD_HEADER,
  });
  response.flushHeaders();
}

export const answersStream = (response: ServerResponse): void => {
  head(response);
  response.end(EVENT + DONE);
};

export const answersWhole = (response: ServerResponse): void => {
  head(response, 'application/json');
  response.end('{"id":"c","model":"tiny","choices":[{"finish_reason":"stop"}]}');
};

/** Answers with an error. */
export function fails(status: number, error: Record<string, unknown>): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error }));
  };
}

export const breaks = (response: ServerResponse): void => void response.socket?.destroy();

/** Expects that nothing counts on a replica and nothing waits for one. */
export function noneInFlight(deployment: FakeDeployment): void {
  for (const replica of deployment.all) expect(replica).toMatchObject({ inFlight: 0, outstandingTokens: 0 });
  expect(deployment.listeners).toBe(0);
}

/** Any error of this shape. */
export const ERROR = { message: expect.any(String), type: expect.any(String), param: null, code: expect.any(String) };

/** The data of the last event, parsed. */
export function lastEvent(text: string): unknown {
  return JSON.parse(text.trimEnd().split('\n\n').at(-1)?.replace('data: ', '') ?? '');
}
