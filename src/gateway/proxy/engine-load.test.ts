/** What a gateway learns of engines from its own traffic, and tells. */
import { expect, test } from '@jest/globals';
import { answersWhole, LOAD_HEADER } from '../../../test/support/engine-replies.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { chat, FakeDeployment, post, type RunningGateway } from '../../../test/support/gateway.ts';
import { CHAT, engine, gatewayFor } from '../../../test/support/gateway-bed.ts';
import type { ReplicaReport } from '../../channel/messages.ts';

function told(gateway: RunningGateway): readonly ReplicaReport[] | undefined {
  return gateway.load.changesSince(0).deployments[0]?.replicas;
}

test('the head of an answer says what waits and how full the cache is; the client is told none of it', async () => {
  const upstream = await engine(answersWhole);
  const deployment = new FakeDeployment('tiny', [upstream.origin]);
  const gateway = await gatewayFor(deployment);
  const response = await post(gateway, CHAT, chat('tiny'), { headers: { 'endpoint-load-metrics-format': 'json' } });
  await response.text();
  expect(LOAD_HEADER).toContain('3.0');
  expect(response.headers.get('endpoint-load-metrics')).toBeNull();
  expect(told(gateway)).toMatchObject([{ podUid: 'pod-0', inFlight: 0, engine: { waiting: 3, kvCacheUsage: 0.25 } }]);
});

test('/metrics tells the rest, and a failure to read it is counted', async () => {
  let text = 'nothing';
  const seen = Promise.withResolvers<void>();
  const upstream = await engine(
    (response) => void seen.promise.then(() => answersWhole(response)),
    () => true,
    (response) => response.end(text),
  );
  const gateway = await gatewayFor(new FakeDeployment('tiny', [upstream.origin]), { scrapeIntervalMs: 40 });
  const answer = post(gateway, CHAT, chat('tiny'));
  await eventually(async () =>
    expect(await gateway.metrics.metrics()).toMatch(
      /^infer_gateway_engine_readings_failed_total\{namespace="default",deployment="tiny"\} [1-9]/m,
    ),
  );
  text = [
    'vllm:num_requests_running{engine="0"} 1.0',
    'vllm:num_requests_waiting{engine="0"} 0.0',
    'vllm:kv_cache_usage_perc{engine="0"} 0.125',
    'vllm:prompt_tokens_total{engine="0"} 7.0',
    'vllm:generation_tokens_total{engine="0"} 8.0\n',
  ].join('\n');
  await eventually(() =>
    expect(told(gateway)).toMatchObject([
      { inFlight: 1, engine: { kvCacheUsage: 0.125, totals: { running: 1, promptTokens: 7, generatedTokens: 8 } } },
    ]),
  );
  seen.resolve();
  expect((await answer).status).toBe(200);
});
