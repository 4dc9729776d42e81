/** What the gateway meters of a real vLLM, beside what that engine counts itself: every form of an answer. */
import assert from 'node:assert/strict';
import type { Cluster } from '../cluster/cluster.ts';
import { waitFor } from '../cluster/wait.ts';
import { gatewayOrigin } from '../support/gateway-access.ts';
import { withPortForward } from '../support/port-forward.ts';
import { ENGINE_PORT } from '../../src/operator/resources/engine.ts';
import { DEPLOYMENT, NAMESPACE } from './objects.ts';

/** Two cores and a tiny model: an answer of so many tokens takes some seconds. */
const LONG_ANSWER = 1_500;
/** Longer than the blocks in which prompts are cached. */
const LONG_PROMPT = 'The quick brown fox jumps over the lazy dog. '.repeat(40);

interface Counts {
  prompt: number;
  completion: number;
}

interface UsageRow {
  key: string;
  requests: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
}

/**
 * Sends answers of every form with `key`, which is used for nothing else meanwhile and has the name `keyName`. Throws an
 * AssertionError where the sums of the gateway are not the engine's, or a client sees usage that it did not ask for.
 */
export async function checkMetering(
  cluster: Cluster,
  { key, keyName }: { key: string; keyName: string },
  progress: (line: string) => void,
): Promise<void> {
  const baseUrl = `${await gatewayOrigin(cluster)}/v1`;
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const post = async (path: string, body: object, signal?: AbortSignal): Promise<Response> => {
    const json = JSON.stringify({ model: DEPLOYMENT, ignore_eos: true, ...body });
    const response = await fetch(`${baseUrl}${path}`, {
      method: 'POST',
      headers,
      body: json,
      ...(signal && { signal }),
    });
    assert.equal(response.status, 200);
    return response;
  };
  const metered = async (): Promise<UsageRow | undefined> => {
    const response = await fetch(`${baseUrl}/usage?group_by=key`, { headers });
    const { data } = (await response.json()) as { data: UsageRow[] };
    return data.find((row) => row.key === keyName);
  };
  const service = { namespace: NAMESPACE, service: `infer-${DEPLOYMENT}`, port: ENGINE_PORT };
  await withPortForward(cluster, service, async (engineUrl) => {
    const before = await engineCounts(engineUrl);
    const messages = [{ role: 'user', content: LONG_PROMPT }];
    const unary = (await (await post('/chat/completions', { messages, max_tokens: 16 })).json()) as {
      usage: { prompt_tokens: number };
    };
    await (await post('/completions', { prompt: [LONG_PROMPT, 'Once'], max_tokens: 8 })).arrayBuffer();
    for (const more of [{}, { n: 2 }, { stream_options: { include_usage: false } }]) {
      const text = await (await post('/chat/completions', { messages, max_tokens: 20, stream: true, ...more })).text();
      assert(!/"usage":\s*\{/.test(text) && !/"choices":\s*\[\]/.test(text), 'usage that was not asked for is hidden');
    }
    const asked = { messages, max_tokens: 20, stream: true, stream_options: { include_usage: true } };
    const text = await (await post('/chat/completions', asked)).text();
    assert.equal(text.match(/"choices":\s*\[\]/g)?.length, 1, 'usage that was asked for comes once');
    assert.match(text, /"completion_tokens":\s*20\b/);
    const after = await engineCounts(engineUrl);
    const expected = {
      requests: 6,
      // The engine counts the prompt of each of the two choices, and tells it once.
      prompt_tokens: after.prompt - before.prompt - unary.usage.prompt_tokens,
      completion_tokens: after.completion - before.completion,
    };
    const row = await waitFor('the usage of six requests', async () => {
      const found = await metered();
      return found?.requests === expected.requests ? found : undefined;
    });
    assert.deepEqual(
      { requests: row.requests, prompt_tokens: row.prompt_tokens, completion_tokens: row.completion_tokens },
      expected,
    );
    assert(row.cached_tokens > 0, 'prompts that came again are told as cached');
    progress(`metered as the engine counts: ${JSON.stringify(row)}`);

    const leaving = new AbortController();
    const stream = await post('/chat/completions', { messages, max_tokens: LONG_ANSWER, stream: true }, leaving.signal);
    let chunks = 0;
    const reading = (async (): Promise<void> => {
      for await (const part of stream.body ?? []) {
        chunks +=
          Buffer.from(part as Uint8Array)
            .toString('latin1')
            .split('data: ').length - 1;
        if (chunks > 30) leaving.abort();
      }
    })();
    await assert.rejects(reading);
    const last = await waitFor('the usage of the request whose client left', async () => {
      const found = await metered();
      return found?.requests === expected.requests + 1 ? found : undefined;
    });
    const made = (await engineCounts(engineUrl)).completion - after.completion;
    const counted = last.completion_tokens - row.completion_tokens;
    progress(`a client left after ${chunks} events: ${counted} tokens metered, ${made} made by the engine`);
    // Several tokens may share an event; what the engine made and could not send any more is nobody's.
    assert(counted >= chunks - 1 && counted <= made && counted < LONG_ANSWER);
  });
}

/** Returns what the engine counted since it started. */
async function engineCounts(engineUrl: string): Promise<Counts> {
  const text = await (await fetch(`${engineUrl}/metrics`)).text();
  const sum = (name: string): number =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`vllm:${name}_total{`))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
  return { prompt: sum('prompt_tokens'), completion: sum('generation_tokens') };
}
