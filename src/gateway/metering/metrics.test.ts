import { expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { FakeDeployment } from '../../../test/support/gateway.ts';
import { MeterMetrics } from './metrics.ts';

const TOKENS = { promptTokens: 3, cachedTokens: 0, completionTokens: 2 };

test('what was deleted has no series, also where its requests end later', async () => {
  const registry = new Registry();
  const keys = new Set(['web', 'robot']);
  const metrics = new MeterMetrics({ registry, keyExists: ({ name }) => keys.has(name) });
  const [chat, other] = [new FakeDeployment('chat'), new FakeDeployment('other')];
  const use = (): void => {
    for (const name of ['web', 'robot']) {
      for (const deployment of [chat, other]) {
        metrics.used({ namespace: 'team', name }, deployment, 'online', TOKENS);
        metrics.finished({ namespace: 'team', name }, { outcome: 'answered', firstTokenMs: 5, latencyMs: 10 });
      }
    }
  };
  use();
  expect(await registry.metrics()).toMatch(/key_tokens_total\{kind="prompt",key_namespace="team",key="web"\} 6/);
  keys.delete('web');
  chat.end('removed');
  await Promise.all([metrics.forgetKey({ namespace: 'team', name: 'web' }), metrics.forgetDeployment(chat)]);
  use();
  const text = await registry.metrics();
  expect(text).not.toMatch(/"web"|"chat"/);
  expect(text).toMatch(/key_tokens_total\{kind="prompt",key_namespace="team",key="robot"\} 12/);
  expect(text).toMatch(/tokens_total\{kind="prompt",namespace="default",deployment="other",class="online"\} 12/);
  expect(text).toMatch(/key_requests_total\{outcome="answered",key_namespace="",key=""\} 2/);
});
