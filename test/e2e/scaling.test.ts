/** Scaling by load and to zero on a real kubelet: no request fails on the way up, at the limits, or on the way down. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { formatReport, startLoad, type LoadReport, type RunningLoad } from '../load/load.ts';
import { eventually } from '../support/eventually.ts';
import { demoKey, gatewayOrigin } from '../support/gateway-access.ts';
import { installInfer } from '../support/install.ts';

const NAME = 't-scaling';
const GPUS = 4;
const MODEL = { id: 'infer-examples/tiny-llama' };
/** With two seats a simulated engine serves seven such requests a second. */
const TOKENS = 32;
const ENGINE = { maxNumSeqs: 2 };

/** Ends the loads; none of their requests may have failed. */
async function end(...loads: RunningLoad[]): Promise<void> {
  const reports: LoadReport[] = await Promise.all(loads.map((one) => one.stop()));
  for (const report of reports) {
    console.log(formatReport(report));
    expect(report.ok).toBeGreaterThan(50);
    expect({ failed: report.failed, cut: report.cut, examples: report.examples }).toEqual({
      failed: 0,
      cut: 0,
      examples: [],
    });
  }
}

describe('scaling', () => {
  let cluster: Cluster;
  let baseUrl: string;
  let key: string;

  const k = async (...args: string[]): Promise<string> => await kubectl(cluster, args);

  const deploy = async (name: string, spec: object): Promise<void> => {
    const metadata = { name, namespace: 'default' };
    const resource = { apiVersion: 'infer.dev/v1alpha1', kind: 'InferenceDeployment', metadata, spec };
    await kubectl(cluster, ['apply', '-f', '-'], stringify({ ...resource, spec: { model: MODEL, ...spec } }));
  };

  const statusOf = async (name: string): Promise<NonNullable<InferenceDeployment['status']>> => {
    const resource = JSON.parse(await k('get', 'infer', name, '-o', 'json')) as InferenceDeployment;
    return resource.status ?? {};
  };

  const ready = async (name: string, count: number): Promise<void> => {
    await eventually(
      async () => {
        const { replicas } = await statusOf(name);
        expect([replicas?.desired, replicas?.ready, replicas?.draining]).toEqual([count, count, 0]);
      },
      120_000,
      300,
    );
  };

  const limit = async (name: string): Promise<string | undefined> =>
    (await statusOf(name)).conditions?.find(({ type }) => type === 'ScalingLimited')?.reason;

  /** The changes of the count, the oldest first. */
  const changes = async (name: string): Promise<number[]> =>
    ((await statusOf(name)).scaling?.recent ?? []).toReversed().map(({ to }) => to);

  const load = (model: string, rate: number): RunningLoad =>
    startLoad({ baseUrl, key, model, rate, streamShare: 0.5, maxTokens: TOKENS, seed: rate });

  const ask = async (model: string): Promise<Response> =>
    await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, max_tokens: 4, messages: [{ role: 'user', content: 'Hello' }] }),
    });

  const isServed = async (model: string): Promise<void> => {
    await eventually(async () => {
      const response = await fetch(`${baseUrl}/models`, { headers: { authorization: `Bearer ${key}` } });
      expect(await response.json()).toMatchObject({
        data: expect.arrayContaining([expect.objectContaining({ id: model })]),
      });
    });
  };

  beforeAll(async () => {
    await localClusterDown(NAME, () => undefined);
    cluster = await localClusterUp({ name: NAME, nodes: 1, progress: () => undefined, gpus: GPUS });
    await installInfer(cluster, () => undefined);
    baseUrl = `${await gatewayOrigin(cluster)}/v1`;
    key = await demoKey(cluster, 'default');
    await deploy('chat', {
      maxReplicas: 2,
      engine: ENGINE,
      drainTimeoutSeconds: 20,
      scaling: { targetRps: 5, targetLatencyP95Ms: 700, stabilizationWindowSeconds: 15 },
    });
    await ready('chat', 1);
    await isServed('chat');
  }, 900_000);
  afterAll(async () => await localClusterDown(NAME, () => undefined), 120_000);

  const mayHave = async (maxReplicas: number): Promise<void> => {
    await k('patch', 'infer', 'chat', '--type=merge', '-p', JSON.stringify({ spec: { maxReplicas } }));
  };

  test('a step of the load is followed up and down, within the limits, through restarts, and no request fails', async () => {
    const base = load('chat', 2);
    await delay(6_000);
    expect((await statusOf('chat')).replicas?.desired).toBe(1);
    const step = load('chat', 17);
    await eventually(async () => expect(await limit('chat')).toBe('AtMax'), 60_000, 300);
    expect((await statusOf('chat')).replicas?.desired).toBe(2);
    await mayHave(4);
    await ready('chat', 4);

    const before = await changes('chat');
    await k('-n', 'infer-system', 'rollout', 'restart', 'deployment/infer-operator', 'deployment/infer-gateway');
    for (const name of ['infer-operator', 'infer-gateway']) {
      await k('-n', 'infer-system', 'rollout', 'status', `deployment/${name}`, '--timeout=120s');
    }
    // A whole window in which the count could have gone down.
    await delay(20_000);
    expect(await changes('chat')).toEqual(before);
    await end(base, step);
    await ready('chat', 1);
    expect((await changes('chat')).at(-1)).toBe(1);
    // Any operator, whatever its clock, is to go on from what this one has learned.
    const { recentTime = '' } = (await statusOf('chat')).scaling?.learned ?? {};
    expect(Math.abs(Date.now() - Date.parse(recentTime))).toBeLessThan(600_000);
  }, 300_000);

  test('where there is no GPU left it says so, stops to climb, and fails nothing', async () => {
    await mayHave(9);
    const high = load('chat', 30);
    await eventually(async () => expect(await limit('chat')).toBe('WaitingForGPU'), 90_000, 300);
    const { replicas } = await statusOf('chat');
    await delay(12_000);
    expect((await statusOf('chat')).replicas?.desired).toBe(replicas?.desired);
    await eventually(async () => expect((await statusOf('chat')).replicas?.ready).toBe(GPUS), 30_000, 300);
    await end(high);
    await k('delete', 'infer', 'chat');
  }, 240_000);

  test('from zero to one by a request, and back; who is refused meanwhile is told how long it takes', async () => {
    await deploy('zero', {
      minReplicas: 0,
      holdTimeoutSeconds: 30,
      drainTimeoutSeconds: 10,
      scaling: { idleSeconds: 10, stabilizationWindowSeconds: 0 },
    });
    await k('wait', '--for=condition=Ready', 'infer/zero', '--timeout=60s');
    await isServed('zero');
    expect(await k('get', 'pods', '-l', 'infer.dev/deployment=zero,infer.dev/component=replica', '-o', 'name')).toBe(
      '',
    );
    const answers = await Promise.all(Array.from({ length: 20 }, async () => (await ask('zero')).status));
    expect(answers).toEqual(Array(20).fill(200));
    await eventually(
      async () => expect((await statusOf('zero')).scaling?.learned?.loadSeconds).toBeGreaterThan(0),
      60_000,
      500,
    );
    // Long before the next request, which is held for as long as the gateway knows when it comes.
    await k('patch', 'infer', 'zero', '--type=merge', '-p', '{"spec":{"holdTimeoutSeconds":1}}');
    await ready('zero', 0);
    expect((await statusOf('zero')).conditions).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True', reason: 'ScaledToZero' }),
    );
    const refused = await eventually(
      async () => {
        const response = await ask('zero');
        expect(response.status).toBe(503);
        return response;
      },
      20_000,
      100,
    );
    expect(Number(refused.headers.get('x-infer-ready-in'))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    await eventually(async () => expect((await ask('zero')).status).toBe(200), 60_000, 500);
  }, 240_000);
});
