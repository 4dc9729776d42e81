/** The process that sends: requests at their own times, whether earlier ones were answered or not. Ends with its parent. */
import { Agent } from 'node:http';
import { sendRequest } from '../../test/load/request.ts';
import type { SimulatedRequest } from '../autoscaler/types.ts';
import { promptOf } from './prompt.ts';

/** What the process is told, once. */
export interface Sending {
  /** Base of the API: `http://HOST:PORT/v1`. */
  baseUrl: string;
  key: string;
  model: string;
  /** In Unix milliseconds; arrivals count from it. */
  startsAtMs: number;
  /** In order of arrival. */
  requests: readonly SimulatedRequest[];
}

/** What became of a request. Times are milliseconds since the start. */
export interface Sent {
  outcome: 'ok' | 'failed' | 'cut';
  /** What went wrong, for a person; empty where nothing did. */
  fault: string;
  sentAtMs: number;
  firstTokenAtMs: number | undefined;
  endedAtMs: number;
}

/** By then an answer is late by any target. */
const TIMEOUT_MS = 600_000;

async function sendAll({ baseUrl, key, model, startsAtMs, requests }: Sending): Promise<Sent[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1_000 });
  const target = { url: new URL(`${baseUrl}/chat/completions`), key, timeoutMs: TIMEOUT_MS, agent };
  const startedAt = performance.now() + startsAtMs - Date.now();
  const elapsedMs = (): number => performance.now() - startedAt;

  const send = async ({ promptTokens, outputTokens }: SimulatedRequest, number: number): Promise<Sent> => {
    const messages = [{ role: 'user', content: promptOf(number, promptTokens) }];
    // All of the tokens, whatever the engine would have said.
    const body = JSON.stringify({ model, messages, max_tokens: outputTokens, ignore_eos: true, stream: true });
    const sentAtMs = elapsedMs();
    const { outcome, reason, message, firstByteAt } = await sendRequest(target, body, true);
    return {
      outcome,
      fault: outcome === 'ok' ? '' : `${reason}: ${message}`,
      sentAtMs,
      firstTokenAtMs: firstByteAt && firstByteAt - startedAt,
      endedAtMs: elapsedMs(),
    };
  };

  const sent: Promise<Sent>[] = [];
  for (const [number, request] of requests.entries()) {
    const waitMs = request.arrivalMs - elapsedMs();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    sent.push(send(request, number));
  }
  return await Promise.all(sent).finally(() => agent.destroy());
}

process.once('message', (sending: Sending) => {
  void sendAll(sending).then((sent) => process.send?.(sent, () => process.exit(0)));
});
process.on('disconnect', () => process.exit(1));
