/** A load that real vLLM on two cores can serve, through a rollout, an eviction and a scale-down: nothing may be lost. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { waitFor } from '../cluster/wait.ts';
import { formatReport, startLoad } from '../load/load.ts';
import { gatewayOrigin } from '../support/gateway-access.ts';
import { DEPLOYMENT, NAMESPACE } from './objects.ts';

const REQUESTS_PER_SECOND = 1;
/** Three engines load and serve on two cores meanwhile. */
const STEP_TIMEOUT_MS = 8 * 60_000;
const SELECTOR = `infer.dev/deployment=${DEPLOYMENT},infer.dev/component=replica`;

/** Runs the load over the three disturbances. Throws an AssertionError where a request failed or was cut. */
export async function checkTraffic(cluster: Cluster, key: string, progress: (line: string) => void): Promise<void> {
  const k = async (...args: string[]): Promise<string> => await kubectl(cluster, ['-n', NAMESPACE, ...args]);
  const patch = async (spec: object): Promise<string> =>
    await k('patch', 'infer', DEPLOYMENT, '--type=merge', '-p', JSON.stringify({ spec }));
  const pods = async (): Promise<string[]> =>
    (await k('get', 'pods', '-l', SELECTOR, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
  const settled = async (replicas: number): Promise<void> => {
    const path = 'jsonpath={.status.replicas.ready} {.status.conditions[?(@.type=="Progressing")].reason}';
    const attempt = async (): Promise<true | undefined> => {
      const [live, said] = await Promise.all([pods(), k('get', 'infer', DEPLOYMENT, '-o', path)]);
      return live.length === replicas && said === `${replicas} Complete` ? true : undefined;
    };
    await waitFor(`${replicas} replicas`, attempt, { timeoutMs: STEP_TIMEOUT_MS, intervalMs: 1_000 });
  };

  progress('a second replica, for the traffic');
  await patch({ minReplicas: 2 });
  await settled(2);
  const load = startLoad({
    baseUrl: `${await gatewayOrigin(cluster)}/v1`,
    key,
    model: DEPLOYMENT,
    rate: REQUESTS_PER_SECOND,
    streamShare: 0.5,
    maxTokens: 16,
    seed: 1,
  });
  await delay(5_000);
  load.phase('rollout');
  progress('under load: a rollout');
  const [old = ''] = await pods();
  await patch({ engine: { maxNumSeqs: 8 } });
  await waitFor(`${old} being replaced`, async () => ((await pods()).includes(old) ? undefined : true), {
    timeoutMs: STEP_TIMEOUT_MS,
    intervalMs: 1_000,
  });
  await settled(2);
  load.phase('eviction');
  progress('under load: an eviction');
  const [victim = ''] = await pods();
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: victim, namespace: NAMESPACE } };
  const path = `/api/v1/namespaces/${NAMESPACE}/pods/${victim}/eviction`;
  await kubectl(cluster, ['create', '--raw', path, '-f', '-'], JSON.stringify(eviction));
  await k('wait', '--for=delete', `pod/${victim}`, '--timeout=300s');
  await settled(2);
  load.phase('scale-down');
  progress('under load: from two replicas to one');
  await patch({ minReplicas: 1 });
  await settled(1);
  await delay(5_000);
  const report = await load.stop();
  console.log(formatReport(report));
  assert.deepEqual(
    { failed: report.failed, cut: report.cut, examples: report.examples },
    { failed: 0, cut: 0, examples: [] },
  );
}
