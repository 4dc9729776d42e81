/** The product on a real node: install, the examples, a completion, what users get wrong, and faults of the control plane. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { controlPlaneProgram } from '../cluster/programs.ts';
import { eventually } from '../support/eventually.ts';
import { installInfer } from '../support/install.ts';
import { withPortForward } from '../support/port-forward.ts';

const NAME = 't-main';
const NAMESPACE = 'team-a';
/** Not the pods that looked models up. */
const REPLICAS = 'infer.dev/component=replica';
/** Opens the stand-in hub's gated models; it is made up here. */
const TOKEN = `hf_${'e2e'.repeat(10)}`;

/** For a container without a shell. */
const PRINT_METRICS =
  "fetch('http://127.0.0.1:8080/metrics').then((answer) => answer.text()).then((text) => console.log(text))";

function example(file: string): InferenceDeployment {
  const object = parse(readFileSync(join(repositoryRoot, 'examples', file), 'utf8')) as InferenceDeployment;
  return { ...object, metadata: { ...object.metadata, namespace: NAMESPACE } };
}

function tokenSecret(token: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'hf-token', namespace: NAMESPACE },
    stringData: { token },
  };
}

function completion(body: object): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Say something.' }], ...body }),
  };
}

describe('main path', () => {
  let cluster: Cluster;

  const k = async (...args: string[]): Promise<string> => await kubectl(cluster, ['-n', NAMESPACE, ...args]);

  const ours = async (...args: string[]): Promise<string> => await kubectl(cluster, ['-n', 'infer-system', ...args]);

  const apply = async (object: object): Promise<void> => {
    await kubectl(cluster, ['apply', '-f', '-'], stringify(object));
  };

  const ready = async (name: string): Promise<{ status: string; reason: string; message: string }> => {
    const text = await k('get', 'infer', name, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")]}');
    return JSON.parse(text === '' ? '{}' : text) as { status: string; reason: string; message: string };
  };

  const expectReason = async (name: string, reason: string, timeoutMs = 60_000): Promise<string> =>
    await eventually(
      async () => {
        const condition = await ready(name);
        expect(condition).toMatchObject({ reason });
        return condition.message;
      },
      timeoutMs,
      300,
    );

  const remove = async (name: string): Promise<void> => {
    await k('delete', 'infer', name);
    await eventually(async () => expect(await k('get', 'pods', '-l', `infer.dev/deployment=${name}`)).toBe(''), 60_000);
  };

  const forwarded = async <T>(name: string, use: (baseUrl: string) => Promise<T>): Promise<T> =>
    await withPortForward(cluster, { namespace: NAMESPACE, service: `infer-${name}`, port: 8000 }, use);

  beforeAll(async () => {
    await localClusterDown(NAME, () => undefined);
    cluster = await localClusterUp({ name: NAME, nodes: 1, progress: () => undefined, gpus: 2 });
    await installInfer(cluster, () => undefined);
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } });
    await kubectl(cluster, ['-n', 'infer-system', 'set', 'env', 'deployment/hub-sim', `HUB_TOKEN=${TOKEN}`]);
    await kubectl(cluster, ['-n', 'infer-system', 'rollout', 'status', 'deployment/hub-sim', '--timeout=60s']);
  }, 900_000);
  afterAll(async () => await localClusterDown(NAME, () => undefined), 120_000);

  test('the first example serves under Pod Security "restricted", and kubectl wait sees it', async () => {
    await apply(example('inference-deployment.yaml'));
    await k('wait', '--for=condition=Ready', 'infer/tiny-llama', '--timeout=90s');
    expect(await k('get', 'infer')).toMatch(
      /tiny-llama\s+infer-examples\/tiny-llama\s+gpu\.a100\s+1\s+1\s+(0\s+)?MinReplicas\s+Serving/,
    );
  }, 120_000);

  test('a replica answers a chat completion, whole and streamed', async () => {
    await forwarded('tiny-llama', async (baseUrl) => {
      const url = `${baseUrl}/v1/chat/completions`;
      const whole = await fetch(url, completion({ model: 'tiny-llama', max_tokens: 8 }));
      expect(whole.status).toBe(200);
      expect(await whole.json()).toMatchObject({ model: 'tiny-llama', choices: [{ message: { role: 'assistant' } }] });
      const stream = await fetch(url, completion({ model: 'tiny-llama', max_tokens: 8, stream: true }));
      expect((await stream.text()).trimEnd().endsWith('data: [DONE]')).toBe(true);
    });
  }, 60_000);

  test('a stream that runs while its replica is deleted ends with [DONE]', async () => {
    await forwarded('tiny-llama', async (baseUrl) => {
      const body = { model: 'tiny-llama', max_tokens: 1000, ignore_eos: true, stream: true };
      const stream = await fetch(`${baseUrl}/v1/chat/completions`, completion(body));
      const pod = await k('get', 'pods', '-l', REPLICAS, '-o', 'name');
      await k('delete', '--wait=false', pod.trim());
      expect((await stream.text()).trimEnd().endsWith('data: [DONE]')).toBe(true);
    });
    await expectReason('tiny-llama', 'Serving');
  }, 120_000);

  test('the API server killed and back, and the operator killed: replicas stay, and changes go on', async () => {
    const uid = async (): Promise<string> =>
      await k('get', 'pods', '-l', REPLICAS, '-o', 'jsonpath={.items[*].metadata.uid}');
    await eventually(async () => expect(await uid()).toMatch(/^[^ ]+$/), 60_000);
    const before = await uid();
    const apiServer = await controlPlaneProgram(cluster, 'kube-apiserver');
    await apiServer.kill('SIGKILL');
    await apiServer.start();
    await kubectl(cluster, [
      '-n',
      'infer-system',
      'delete',
      'pod',
      '-l',
      'app.kubernetes.io/component=operator',
      '--force',
    ]);
    await k('patch', 'infer', 'tiny-llama', '--type=merge', '-p', '{"spec":{"minReplicas":2}}');
    await eventually(
      async () => expect(await k('get', 'infer', 'tiny-llama')).toMatch(/\s2\s+2\s+(0\s+)?MinReplicas\s+Serving/),
      120_000,
    );
    expect((await uid()).split(' ')).toContain(before);
  }, 240_000);

  test('a replica too many waits for a GPU and says so; one fewer and all is well', async () => {
    await k('patch', 'infer', 'tiny-llama', '--type=merge', '-p', '{"spec":{"minReplicas":3}}');
    await expectReason('tiny-llama', 'ServingBelowMinimum');
    await eventually(async () => {
      const said = await k(
        'get',
        'infer',
        'tiny-llama',
        '-o',
        'jsonpath={.status.conditions[?(@.type=="ReplicasReady")].message}',
      );
      expect(said).toMatch(/No node has 1 nvidia\.com\/gpu free .*Insufficient nvidia\.com\/gpu/);
    }, 30_000);
    await k('patch', 'infer', 'tiny-llama', '--type=merge', '-p', '{"spec":{"minReplicas":2}}');
    await expectReason('tiny-llama', 'Serving');
  }, 120_000);

  test('with every GPU taken a change rolls out one replica at a time, and one of them always serves', async () => {
    const progress = async (): Promise<string> =>
      await k('get', 'infer', 'tiny-llama', '-o', 'jsonpath={.status.conditions[?(@.type=="Progressing")].message}');
    const wait = JSON.stringify({ spec: { gpuWaitSeconds: 3 } });
    const profile = ['patch', 'hardwareprofile', 'gpu.a100', '--type=merge', '-p', wait];
    await kubectl(cluster, ['-n', 'infer-system', ...profile]);
    await k('patch', 'infer', 'tiny-llama', '--type=merge', '-p', '{"spec":{"engine":{"maxModelLen":1024}}}');
    await eventually(async () => expect(await progress()).toMatch(/one at a time/), 60_000, 300);
    const seen: number[] = [];
    await eventually(
      async () => {
        seen.push(Number(await k('get', 'infer', 'tiny-llama', '-o', 'jsonpath={.status.replicas.ready}')));
        const path = 'jsonpath={range .items[*]}{.spec.containers[0].args}{"\\n"}{end}';
        const args = await k('get', 'pods', '-l', REPLICAS, '-o', path);
        expect(args.trim().split('\n')).toEqual(Array(2).fill(expect.stringContaining('"--max-model-len=1024"')));
        expect(await progress()).toBe('All replicas run the wanted revision.');
      },
      120_000,
      300,
    );
    expect(Math.min(...seen)).toBe(1);
    await expectReason('tiny-llama', 'Serving');
  }, 240_000);

  test('suspend ends the replicas and keeps the resource; delete leaves nothing behind', async () => {
    await k('patch', 'infer', 'tiny-llama', '--type=merge', '-p', '{"spec":{"suspend":true}}');
    await expectReason('tiny-llama', 'Suspended');
    await remove('tiny-llama');
    await eventually(async () => expect(await k('get', 'deploy,svc,pdb,netpol,job', '-o', 'name')).toBe(''), 60_000);
  }, 120_000);

  test('a gated model needs its Secret, then the right token, then serves', async () => {
    const deployment = example('gated-model.yaml');
    deployment.spec = {
      ...deployment.spec,
      minReplicas: 1,
      model: { ...deployment.spec.model, id: 'infer-examples/gated-llama' },
    };
    await apply(deployment);
    expect(await expectReason('llama-8b', 'TokenMissing')).toMatch(/no Secret hf-token with key token\. Create it/);
    await apply(tokenSecret(`hf_${'wrong'.repeat(6)}`));
    await expectReason('llama-8b', 'TokenInvalid', 120_000);
    await apply(tokenSecret(TOKEN));
    // A container's environment is made at its start, and the back-off of the failed ones may be long: a new pod has none.
    await k('delete', 'pods', '-l', 'infer.dev/deployment=llama-8b');
    await expectReason('llama-8b', 'Serving', 90_000);
    const kinds = 'all,infer,events,jobs,pvc,networkpolicies,controllerrevisions,configmaps';
    const metrics = ours('exec', 'deployment/infer-operator', '--', 'node', '-e', PRINT_METRICS);
    const everywhere = await Promise.all([
      k('get', kinds, '-o', 'yaml'),
      k('logs', 'deployment/infer-llama-8b', '--all-containers'),
      k('logs', '-l', 'infer.dev/component=preflight', '--tail=-1'),
      ours('get', kinds, '-o', 'yaml'),
      ours('logs', 'deployment/infer-operator', '--tail=-1'),
      ours('logs', 'deployment/infer-gateway', '--tail=-1'),
      metrics,
    ]);
    expect(everywhere.filter((text) => text === '')).toEqual([]);
    // The stand-in hub is told the token that it is to know.
    expect(everywhere.map((text) => text.replaceAll(/name: HUB_TOKEN\n\s*value: \S+/g, '')).join('\n')).not.toContain(
      TOKEN,
    );
    await remove('llama-8b');
  }, 300_000);

  test('a claim that does not exist is named', async () => {
    await apply(example('claim.yaml'));
    expect(await expectReason('llama-8b-offline', 'Unschedulable')).toMatch(/"weights" not found.*Create the claim/);
    await remove('llama-8b-offline');
  }, 90_000);

  test('an engine without enough GPU memory is told in its own words while it crashes again and again, until it is mended', async () => {
    const deployment = example('inference-deployment.yaml');
    deployment.metadata.name = 'memory';
    deployment.spec = { ...deployment.spec, minReplicas: 1, engine: { gpuMemoryUtilizationPercent: 10 } };
    await apply(deployment);
    const message = await expectReason('memory', 'GPUOutOfMemory');
    expect(message).toBe(
      'No available memory for the cache blocks. Raise engine.gpuMemoryUtilizationPercent, set engine.quantization, or choose a hardwareProfile with more memory.',
    );
    const told = new Set<string>();
    const path = 'jsonpath={.items[0].status.containerStatuses[0].restartCount}';
    await eventually(
      async () => {
        told.add(JSON.stringify(await ready('memory')));
        const restarts = await k('get', 'pods', '-l', `${REPLICAS},infer.dev/deployment=memory`, '-o', path);
        expect(Number(restarts)).toBeGreaterThanOrEqual(3);
      },
      120_000,
      300,
    );
    expect(told.size).toBe(1);
    await k('patch', 'infer', 'memory', '--type=merge', '-p', '{"spec":{"engine":{"gpuMemoryUtilizationPercent":90}}}');
    await expectReason('memory', 'Serving');
    await remove('memory');
  }, 300_000);

  test("the platform team's example is a profile; one whose image does not exist is said", async () => {
    const profile = parse(readFileSync(join(repositoryRoot, 'examples/hardware-profile.yaml'), 'utf8')) as {
      metadata: { name: string };
      spec: Record<string, unknown>;
    };
    await apply(profile);
    profile.metadata.name = 'broken';
    const resources = { requests: { cpu: '10m', memory: '16Mi' } };
    profile.spec = { image: 'localhost/none:v1', resources };
    await apply(profile);
    const deployment = example('inference-deployment.yaml');
    deployment.metadata.name = 'pull';
    deployment.spec = { ...deployment.spec, hardwareProfile: 'broken' };
    await apply(deployment);
    expect(await expectReason('pull', 'ImagePullFailed')).toMatch(/cannot pull image localhost\/none:v1/);
    await remove('pull');
  }, 120_000);

  test('models that are not there, and hubs that do not answer, are told apart', async () => {
    const deployment = example('inference-deployment.yaml');
    deployment.metadata.name = 'absent';
    deployment.spec = { ...deployment.spec, model: { id: 'infer-examples/nothing' } };
    await apply(deployment);
    await expectReason('absent', 'ModelNotFound');
    await remove('absent');
    await kubectl(cluster, ['-n', 'infer-system', 'scale', 'deployment/hub-sim', '--replicas=0']);
    const hub = ['-n', 'infer-system', 'get', 'pods', '-l', 'app.kubernetes.io/name=hub-sim', '-o', 'name'];
    await eventually(async () => expect(await kubectl(cluster, hub)).toBe(''), 60_000);
    await apply({ ...deployment, metadata: { ...deployment.metadata, name: 'unreachable' } });
    await expectReason('unreachable', 'HubUnreachable', 240_000);
    await remove('unreachable');
  }, 420_000);
});
