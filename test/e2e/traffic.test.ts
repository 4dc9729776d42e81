/** Traffic through the gateways while parts of the system restart, leave or die: 50 requests/s, half of them streams. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { inferenceDeployments } from '../../src/api/resources.ts';
import { Informer } from '../../src/kube/informer.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { controlPlaneProgram, podProcesses } from '../cluster/programs.ts';
import { formatReport, startLoad, type LoadReport } from '../load/load.ts';
import { eventually } from '../support/eventually.ts';
import { demoKey, gatewayOrigin } from '../support/gateway-access.ts';
import { installInfer } from '../support/install.ts';
import { clientOf, MemoryLogger } from '../support/kube.ts';

const NAME = 't-traffic';
const MODEL = 'tiny-llama';
const REQUESTS_PER_SECOND = 50;

function expectNothingLost(report: LoadReport): void {
  expect({ failed: report.failed, cut: report.cut, examples: report.examples }).toEqual({
    failed: 0,
    cut: 0,
    examples: [],
  });
}

/** Not the pods that looked models up. */
const REPLICAS = 'infer.dev/component=replica';

describe('traffic', () => {
  let cluster: Cluster;
  let baseUrl: string;
  let key: string;

  const k = async (...args: string[]): Promise<string> => await kubectl(cluster, args);

  const uids = async (): Promise<string> =>
    await k('get', 'pods', '-l', REPLICAS, '-o', 'jsonpath={.items[*].metadata.uid}');

  const newer = async (): Promise<string> => await k('get', 'infer', MODEL, '-o', 'jsonpath={.status.update}');

  const upgradeTo = async (image: string): Promise<void> => {
    await k('-n', 'infer-system', 'set', 'env', 'deployment/infer-operator', `INFER_IMAGE=${image}`);
    await k('-n', 'infer-system', 'rollout', 'status', 'deployment/infer-operator', '--timeout=60s');
  };

  const replicas = async (): Promise<string[]> => {
    const label = `${REPLICAS},infer.dev/deployment=${MODEL}`;
    return (await k('get', 'pods', '-l', label, '-o', 'jsonpath={.items[*].metadata.name}')).split(' ');
  };

  const expectReplicas = async (count: number): Promise<void> => {
    await eventually(
      async () => {
        expect(await replicas()).toHaveLength(count);
        expect(await k('get', 'infer', MODEL, '-o', 'jsonpath={.status.replicas.ready}')).toBe(String(count));
      },
      180_000,
      500,
    );
  };

  const scaleTo = async (count: number): Promise<void> => {
    await k('patch', 'infer', MODEL, '--type=merge', '-p', JSON.stringify({ spec: { minReplicas: count } }));
    await expectReplicas(count);
  };

  /** Runs the load while `disturb` works and for a while after it. */
  const underLoad = async (disturb: () => Promise<void>): Promise<LoadReport> => {
    const load = startLoad({
      baseUrl,
      key,
      model: MODEL,
      rate: REQUESTS_PER_SECOND,
      streamShare: 0.5,
      maxTokens: 16,
      seed: 1,
    });
    await delay(2_000);
    await disturb();
    await delay(3_000);
    const report = await load.stop();
    console.log(formatReport(report));
    expect(report.ok).toBeGreaterThan(100);
    return report;
  };

  beforeAll(async () => {
    await localClusterDown(NAME, () => undefined);
    cluster = await localClusterUp({ name: NAME, nodes: 1, progress: () => undefined, gpus: 4 });
    await installInfer(cluster, () => undefined);
    const deployment = {
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'InferenceDeployment',
      metadata: { name: MODEL, namespace: 'default' },
      spec: { model: { id: 'infer-examples/tiny-llama' }, minReplicas: 3, drainTimeoutSeconds: 30 },
    };
    await kubectl(cluster, ['apply', '-f', '-'], stringify(deployment));
    await expectReplicas(3);
    baseUrl = `${await gatewayOrigin(cluster)}/v1`;
    key = await demoKey(cluster, 'default');
    await eventually(async () => {
      const response = await fetch(`${baseUrl}/models`, { headers: { authorization: `Bearer ${key}` } });
      expect(await response.json()).toMatchObject({ data: [{ id: MODEL }] });
    });
  }, 900_000);
  afterAll(async () => await localClusterDown(NAME, () => undefined), 120_000);

  test('an upgrade of the operator, to one that would make other pods, loses nothing and starts no replica again', async () => {
    const before = await uids();
    const report = await underLoad(async () => {
      await upgradeTo('localhost/infer:next');
      await eventually(async () => expect(await newer()).toContain('InferVersion'), 60_000, 500);
    });
    expectNothingLost(report);
    expect(await uids()).toBe(before);
    await upgradeTo('localhost/infer:dev');
    await eventually(async () => expect(await newer()).toBe(''), 60_000, 500);
    expect(await uids()).toBe(before);
  }, 240_000);

  test('a restart of both gateways, one after the other, loses nothing', async () => {
    const report = await underLoad(async () => {
      await k('-n', 'infer-system', 'rollout', 'restart', 'deployment/infer-gateway');
      await k('-n', 'infer-system', 'rollout', 'status', 'deployment/infer-gateway', '--timeout=120s');
      // The old ones go on answering what they hold after the new ones are ready.
      await eventually(
        async () => {
          const label = 'app.kubernetes.io/component=gateway';
          const pods = await k('-n', 'infer-system', 'get', 'pods', '-l', label, '-o', 'name');
          expect(pods.trim().split('\n')).toHaveLength(2);
        },
        120_000,
        500,
      );
    });
    expectNothingLost(report);
  }, 240_000);

  test('the eviction of every replica in turn loses nothing', async () => {
    const report = await underLoad(async () => {
      for (const victim of await replicas()) {
        const metadata = { name: victim, namespace: 'default' };
        const eviction = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata });
        const path = `/api/v1/namespaces/default/pods/${victim}/eviction`;
        // The budget allows one at a time.
        await eventually(
          async () => await kubectl(cluster, ['create', '--raw', path, '-f', '-'], eviction),
          90_000,
          500,
        );
        await eventually(async () => expect(await replicas()).not.toContain(victim), 90_000, 500);
        await expectReplicas(3);
      }
    });
    expectNothingLost(report);
  }, 400_000);

  test('a scale from three to two loses nothing, and takes the replica that was marked', async () => {
    // A replica that has nothing to do is marked for some tenths of a second.
    const marked = new Set<string>();
    const client = clientOf(cluster.kubeconfig);
    const resources = new Informer({
      client,
      resource: inferenceDeployments,
      decode: (resource) => resource,
      logger: new MemoryLogger(),
    });
    resources.onChange(({ object }) => {
      for (const uid of object.status?.replicas?.drainingPods ?? []) marked.add(uid);
    });
    resources.start();
    try {
      await resources.synced(AbortSignal.timeout(30_000));
      const before = await uids();
      const report = await underLoad(async () => await scaleTo(2));
      expectNothingLost(report);
      await eventually(() => expect(marked.size).toBe(1));
      const [victim = ''] = marked;
      expect(before).toContain(victim);
      expect(await uids()).not.toContain(victim);
    } finally {
      await resources.stop();
      await client.close();
    }
    await scaleTo(3);
  }, 300_000);

  test('a change that rolls out, with a GPU to spare, loses nothing', async () => {
    const report = await underLoad(async () => {
      await k('patch', 'infer', MODEL, '--type=merge', '-p', '{"spec":{"engine":{"maxModelLen":1024}}}');
      await eventually(
        async () => {
          const path = 'jsonpath={range .items[*]}{.spec.containers[0].args}{"\\n"}{end}';
          const args = await k('get', 'pods', '-l', REPLICAS, '-o', path);
          expect(args.trim().split('\n')).toEqual(Array(3).fill(expect.stringContaining('"--max-model-len=1024"')));
        },
        180_000,
        500,
      );
    });
    expectNothingLost(report);
    await expectReplicas(3);
  }, 300_000);

  test('the death of the leading operator, and another that takes over, lose nothing', async () => {
    const lease = ['-n', 'infer-system', 'get', 'lease', 'infer-operator', '-o', 'jsonpath={.spec.holderIdentity}'];
    await k('-n', 'infer-system', 'scale', 'deployment/infer-operator', '--replicas=2');
    await k('-n', 'infer-system', 'rollout', 'status', 'deployment/infer-operator', '--timeout=60s');
    const leader = await k(...lease);
    const report = await underLoad(async () => {
      const uid = await k('-n', 'infer-system', 'get', 'pod', leader, '-o', 'jsonpath={.metadata.uid}');
      const pids = await podProcesses(uid);
      expect(pids).not.toEqual([]);
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      // Else it is started again, and leads on by the same name.
      await k('-n', 'infer-system', 'delete', 'pod', leader, '--grace-period=0', '--force', '--wait=false');
      await eventually(async () => expect(await k(...lease)).not.toBe(leader), 60_000, 500);
      // The new one decides: by the word of both gateways.
      await scaleTo(2);
    });
    expectNothingLost(report);
    await scaleTo(3);
    await k('-n', 'infer-system', 'scale', 'deployment/infer-operator', '--replicas=1');
  }, 300_000);

  test('a replica that is killed fails no request before its first byte; streams after it end in an error event', async () => {
    const [victim = ''] = (await uids()).split(' ');
    const pids = await podProcesses(victim);
    expect(pids).not.toEqual([]);
    const report = await underLoad(async () => {
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      const restarts = `jsonpath={.items[?(@.metadata.uid=="${victim}")].status.containerStatuses[*].restartCount}`;
      await eventually(
        async () => expect(Number(await k('get', 'pods', '-l', REPLICAS, '-o', restarts))).toBeGreaterThan(0),
        60_000,
        500,
      );
      await k('wait', '--for=condition=Ready', 'pod', '-l', REPLICAS, '--timeout=120s');
      await expectReplicas(3);
    });
    expect({ failed: report.failed, examples: report.examples.filter(({ kind }) => kind === 'unary') }).toEqual({
      failed: 0,
      examples: [],
    });
    expect(Object.keys(report.reasons).filter((reason) => !reason.startsWith('cut: error event'))).toEqual([]);
  }, 240_000);

  test('one replica without a GPU to spare is replaced: requests are held, then refused with Retry-After, none fails otherwise', async () => {
    await k('patch', 'infer', MODEL, '--type=merge', '-p', '{"spec":{"suspend":true}}');
    const wait = JSON.stringify({ spec: { gpuWaitSeconds: 3 } });
    await k('-n', 'infer-system', 'patch', 'hardwareprofile', 'gpu.a100.4', '--type=merge', '-p', wait);
    const single = {
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'InferenceDeployment',
      metadata: { name: 'single', namespace: 'default' },
      spec: {
        model: { id: 'infer-examples/tiny-llama' },
        hardwareProfile: 'gpu.a100.4',
        holdTimeoutSeconds: 3,
        drainTimeoutSeconds: 5,
      },
    };
    await kubectl(cluster, ['apply', '-f', '-'], stringify(single));
    await k('wait', '--for=condition=Ready', 'infer/single', '--timeout=180s');
    const answers: { status: number; retryAfter: string | null; ms: number }[] = [];
    const ask = async (): Promise<void> => {
      const startedAt = performance.now();
      const response = await fetch(`${baseUrl}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'single', max_tokens: 4, messages: [{ role: 'user', content: 'Hello' }] }),
      });
      await response.arrayBuffer();
      const retryAfter = response.headers.get('retry-after');
      answers.push({ status: response.status, retryAfter, ms: performance.now() - startedAt });
    };
    await eventually(async () => {
      await ask();
      expect(answers.at(-1)?.status).toBe(200);
    }, 30_000);
    answers.length = 0;
    const progress = 'jsonpath={.status.conditions[?(@.type=="Progressing")].reason}';
    await k('patch', 'infer', 'single', '--type=merge', '-p', '{"spec":{"engine":{"maxModelLen":1024}}}');
    const asked: Promise<void>[] = [];
    await eventually(
      async () => {
        asked.push(ask());
        expect(await k('get', 'pods', '-l', 'infer.dev/deployment=single', '-o', 'yaml')).toContain(
          'max-model-len=1024',
        );
        expect(await k('get', 'infer', 'single', '-o', progress)).toBe('Complete');
      },
      180_000,
      200,
    );
    await Promise.all(asked);
    const refused = answers.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.filter(({ status, retryAfter }) => status !== 503 || !(Number(retryAfter) > 0))).toEqual([]);
    // Refused at once would be no hold.
    expect(Math.min(...refused.map(({ ms }) => ms))).toBeGreaterThan(2_900);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
    await k('delete', 'infer', 'single');
    await k('patch', 'infer', MODEL, '--type=merge', '-p', '{"spec":{"suspend":false}}');
    await expectReplicas(3);
  }, 400_000);

  // The last: for a minute after it Kubernetes' own controllers, which come back one by one, take the node for lost.
  test('an API server that is away for 60 s loses nothing', async () => {
    const apiServer = await controlPlaneProgram(cluster, 'kube-apiserver');
    const report = await underLoad(async () => {
      await apiServer.kill('SIGKILL');
      await delay(60_000);
      await apiServer.start();
    });
    expectNothingLost(report);
  }, 240_000);
});
