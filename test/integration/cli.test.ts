/** The built CLI as a process on a real API server, with the operator and a stand-in for the kubelet. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import { catalogModels, inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { Cli } from '../support/cli.ts';
import type { CliOptions, CliResult } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { servingStatus, unschedulableStatus } from '../support/fake-kubelet.ts';
import type { FakeKubelet } from '../support/fake-kubelet.ts';
import { sharedKubeconfig } from '../support/kube.ts';
import { spyingKubeconfig } from '../support/spying-kubeconfig.ts';
import { startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

interface Secret extends KubeObject {
  data?: Record<string, string>;
}
const secrets: Resource<Secret> = { group: '', version: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true };

/** In nothing that is printed, and in no arguments of a program. */
const CANARY = `hf_${'canary'.repeat(5)}`;

let bed: { client: KubeClient; proxy: FaultProxy; kubelet: FakeKubelet };
let client: KubeClient;
let namespace: string;
let operator: OperatorProcess;
let cli: Cli;

async function infer(args: string[], options?: CliOptions): Promise<CliResult> {
  return await cli.run(['-n', namespace, ...args], options);
}

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'infer-cli-test-'));
}

async function stored(name: string): Promise<InferenceDeployment | undefined> {
  return await client.get(inferenceDeployments, { namespace, name });
}

beforeAll(async () => {
  const started = await startOperatorBed('cli');
  ({ client, namespace } = started);
  bed = started;
  operator = OperatorProcess.start({ kubeconfig: started.proxy.kubeconfig });
  cli = Cli.build({ KUBECONFIG: sharedKubeconfig() });
  const entry = { modelId: 'org/gated-7b', gated: true, hardwareProfile: 'gpu.a100', license: 'org-licence' };
  const metadata = { name: 'gated-7b', namespace: 'infer-system' };
  await client.apply(catalogModels, { metadata, spec: entry }, { fieldManager: 'test', force: true });
}, 60_000);

afterAll(async () => {
  cli.remove();
  await client.delete(catalogModels, { namespace: 'infer-system', name: 'gated-7b' });
  await stopOperatorBed(operator, bed);
}, 30_000);

describe('deploy', () => {
  test('--dry-run prints a manifest that kubectl takes, and creates nothing', async () => {
    const flags = ['--max-replicas', '3', '--target-rps', '2.5', '--target-latency', '8000', '--stabilisation', '5m'];
    const { code, stdout } = await infer(['deploy', 'org/Model-7B', '--dry-run', '-o', 'yaml', ...flags]);
    expect(code).toBe(0);
    expect(parse(stdout)).toEqual({
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'InferenceDeployment',
      metadata: { name: 'model-7b', namespace },
      spec: {
        model: { id: 'org/Model-7B' },
        hardwareProfile: 'gpu.a100',
        maxReplicas: 3,
        scaling: { targetRps: 2.5, targetLatencyP95Ms: 8000, stabilizationWindowSeconds: 300 },
      },
    });
    expect(await stored('model-7b')).toBeUndefined();
  });

  test('says what it creates, waits until it serves, and takes an id that is free', async () => {
    const first = await infer(['deploy', 'org/Llama-3.1-8B', '--wait']);
    expect(first.stdout).toContain(`llama-3-1-8b is created in namespace ${namespace}`);
    expect(first.stdout).toContain('llama-3-1-8b serves.');
    expect(first.code).toBe(0);
    const second = await infer(['deploy', 'org/Llama-3.1-8B', '-o', 'name']);
    expect(second.stdout).toBe('inferencedeployments.infer.dev/llama-3-1-8b-2\n');
    const third = await infer(['deploy', 'org/Llama-3.1-8B', '--name', 'llama-3-1-8b']);
    expect(third.code).toBe(1);
    expect(third.stderr).toMatch(/There is a deployment llama-3-1-8b .*\n.*infer update llama-3-1-8b/);
    expect((await stored('llama-3-1-8b'))?.metadata.managedFields?.map(({ manager }) => manager)).toContain(
      'infer-cli',
    );
  }, 60_000);

  test("what the API server refuses is told in the CRD's words, and no Secret is left", async () => {
    const bounds = ['--min-replicas', '3', '--max-replicas', '2'];
    const { code, stderr } = await infer(['deploy', 'org/bad', '-t', '-', ...bounds], { input: CANARY });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Error: The cluster refuses it:\n\s+- spec\.maxReplicas: .*minReplicas/);
    expect(stderr).not.toContain('InferenceDeployment.infer.dev');
    expect(await client.get(secrets, { namespace, name: 'bad-hf-token' })).toBeUndefined();
  });

  test('--wait ends with 4 and the diagnosis where a person is needed, and in time where it only waits', async () => {
    const unknown = await infer(['deploy', 'org/profile', '-g', 'gpu.none', '--wait']);
    expect(unknown.code).toBe(4);
    expect(unknown.stderr).toContain('cannot serve: UnknownHardwareProfile: There is no HardwareProfile gpu.none');
    bed.kubelet.become((pod) =>
      pod.metadata.name.includes('slow') ? unschedulableStatus('0/1 nodes are available') : servingStatus(pod),
    );
    const late = await infer(['deploy', 'org/slow', '--wait', '--timeout', '15s']);
    expect(late.code).toBe(4);
    expect(late.stderr).toMatch(/slow does not serve after 15s: (Unschedulable|WaitingForGPU)/);
    const interrupted = await infer(['start', 'slow', '--wait'], { interruptAt: 'slow: ' });
    expect(interrupted.code).toBe(130);
    expect(interrupted.stderr).toContain('Waits no longer; slow goes on in the cluster.');
    expect(await stored('slow')).toBeDefined();
  }, 90_000);

  test.each(['-g', '--min-replicas', '--target-rps'])(
    '%s with nonsense is wrong use, and nothing is asked',
    async (flag) => {
      const { code, stderr } = await infer(['deploy', 'org/x', flag, ...(flag === '-g' ? [] : ['many'])], {
        env: { KUBECONFIG: '/nowhere' },
      });
      expect(code).toBe(2);
      expect(stderr).toMatch(/^Error: option '.*(argument missing|is invalid)/);
    },
  );

  test('a model that the catalogue lacks is named, with what it may have been', async () => {
    const { code, stderr } = await infer(['deploy', 'gated-7']);
    expect(code).toBe(3);
    expect(stderr).toBe('Error: The catalogue has no model gated-7.\nNext:  Did you mean gated-7b?\n');
  });
});

describe('a token', () => {
  test.each([
    ['standard input', ['-t', '-'], { input: `${CANARY}\n` }],
    ['a file', ['-t', '@FILE'], {}],
    ['HF_TOKEN', [], { env: { HF_TOKEN: CANARY } }],
  ])('from %s is stored in a Secret that belongs to the deployment, and shown nowhere', async (_, flags, options) => {
    const folder = temporaryFolder();
    const { kubeconfig, spied } = spyingKubeconfig(folder);
    writeFileSync(`${folder}/token`, `${CANARY}\n`);
    const args = flags.map((flag) => flag.replace('FILE', `${folder}/token`));
    const env = { ...('env' in options ? options.env : {}), KUBECONFIG: kubeconfig };
    const result = await infer(['deploy', 'gated-7b', ...args, '-o', 'yaml'], { ...options, env });
    expect(result).toMatchObject({ code: 0 });
    const { metadata, spec } = parse(result.stdout) as InferenceDeployment;
    const secret = await client.get(secrets, { namespace, name: `${metadata.name}-hf-token` });
    expect(Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString()).toBe(CANARY);
    expect(secret?.metadata.ownerReferences).toMatchObject([{ kind: 'InferenceDeployment', uid: metadata.uid }]);
    expect(spec.model.tokenSecretRef).toMatchObject({ name: `${metadata.name}-hf-token` });
    const seen = result.stdout + result.stderr + readFileSync(spied, 'utf8');
    expect(seen).toContain('spy.cjs');
    expect(seen).not.toContain(CANARY);
    expect(seen).not.toContain(Buffer.from(CANARY).toString('base64'));
    rmSync(folder, { recursive: true });
  });

  test('as a value works and warns; it is not repeated', async () => {
    const { code, stdout, stderr } = await infer(['deploy', 'gated-7b', '--name', 'told', '-t', CANARY]);
    expect(code).toBe(0);
    expect(stderr).toContain('Warning: the token is now in the history of your shell');
    expect(stdout + stderr).not.toContain(CANARY);
  });

  test('that is missing is asked for in words where nobody can be asked, and given later', async () => {
    const { code, stdout } = await infer(['deploy', 'gated-7b', '--name', 'tokenless']);
    expect(code).toBe(0);
    expect(stdout).toContain(
      'is gated and there is no token: it will not start. Give one: infer update tokenless -t -',
    );
    const given = await infer(['update', 'tokenless', '-t', '-'], { input: CANARY });
    expect(given).toMatchObject({ code: 0 });
    expect((await stored('tokenless'))?.spec.model.tokenSecretRef).toEqual({
      name: 'tokenless-hf-token',
      key: 'token',
    });
    await infer(['delete', 'tokenless', '--yes']);
    await eventually(
      async () => expect(await client.get(secrets, { namespace, name: 'tokenless-hf-token' })).toBeUndefined(),
      // A garbage collector that has just heard of our kinds.
      90_000,
    );
  }, 120_000);

  test('for which there is a Secret of someone else leaves that alone', async () => {
    const data = { token: Buffer.from('theirs').toString('base64') };
    await client.create(secrets, { metadata: { namespace, name: 'mine-hf-token' }, data });
    const { code, stderr } = await infer(['deploy', 'gated-7b', '--name', 'mine', '-t', '-'], { input: CANARY });
    expect(code).toBe(1);
    expect(stderr).toContain('--hf-token-secret mine-hf-token');
    expect((await client.get(secrets, { namespace, name: 'mine-hf-token' }))?.data).toEqual(data);
    expect(await stored('mine')).toBeUndefined();
  });
});

describe('a deployment', () => {
  beforeAll(async () => {
    bed.kubelet.become(servingStatus);
    await createDeployment(client, namespace, 'chat', { maxReplicas: 2 });
    await readyReason(client, namespace, 'Serving');
  }, 30_000);

  test('is told in a line, in detail, as JSON, YAML and by name', async () => {
    expect((await infer(['status'])).stdout).toMatch(/^ID +MODEL[^]*\nchat +org\/model +gpu\.a100 +1\/1 .*Serving/);
    const { stdout } = await infer(['status', 'chat']);
    expect(stdout).toMatch(/^chat: Serving, \d+s old\nNamespace +cli-/);
    expect(stdout).toMatch(/\nReplicas +1 of 1 ready; bounds 1 to 2\n/);
    expect(stdout).toMatch(/\nCONDITION +STATUS +REASON +SINCE\n/);
    const json = JSON.parse((await infer(['status', 'chat', '-o', 'json'])).stdout) as InferenceDeployment;
    expect(json).toMatchObject({ kind: 'InferenceDeployment', metadata: { name: 'chat' } });
    expect((await infer(['status', 'chat', '-o', 'name'])).stdout).toBe('inferencedeployments.infer.dev/chat\n');
    expect((await infer(['status', '--all'])).stdout).toContain(namespace);
    expect((await infer(['top'])).stdout).toMatch(/\nchat +/);
    expect((await infer(['top', 'chat'])).stdout).toMatch(/^ID +RPS/);
    await eventually(async () =>
      expect((await infer(['events', 'chat'])).stdout).toMatch(/Serving +\d+ +inferencedep/),
    );
  });

  test('that does not exist ends with 3, with near names', async () => {
    for (const args of [['status'], ['stop'], ['start'], ['update'], ['delete'], ['logs'], ['events'], ['top']]) {
      const { code, stderr } = await infer([...args, 'chatt']);
      expect({ args, code }).toEqual({ args, code: 3 });
      expect(stderr).toBe(
        `Error: There is no deployment chatt in namespace ${namespace}.\nNext:  Did you mean chat?\n`,
      );
    }
  });

  test('is stopped and started, and update changes what it names alone', async () => {
    expect(await infer(['stop', 'chat'])).toMatchObject({ code: 0 });
    await readyReason(client, namespace, 'Suspended');
    expect((await infer(['start', 'chat', '--wait'])).stdout).toBe('chat serves.\n');
    expect(await infer(['update', 'chat', '--target-latency', '900'])).toMatchObject({ code: 0 });
    expect((await stored('chat'))?.spec).toMatchObject({
      maxReplicas: 2,
      suspend: false,
      scaling: { targetLatencyP95Ms: 900 },
    });
    const nothing = await infer(['update', 'chat']);
    expect(nothing.stderr).toContain('chat runs what is newest.');
    expect((await stored('chat'))?.spec.restartedAt).toBeUndefined();
    expect(await infer(['update', 'chat', '--restart'])).toMatchObject({ code: 0 });
    expect((await stored('chat'))?.spec.restartedAt).toMatch(/^\d{4}-/);
    expect((await infer(['update', 'chat', '--max-replicas', '0'])).code).toBe(2);
  }, 60_000);

  test.each([
    ['Argo CD', { annotations: { 'argocd.argoproj.io/tracking-id': 'llms:infer.dev/InferenceDeployment:x/kept' } }],
    ['Argo CD', { labels: { 'argocd.argoproj.io/instance': 'llms' } }],
    // The merge keeps what the case before has set.
    ['Flux', { labels: { 'argocd.argoproj.io/instance': null, 'kustomize.toolkit.fluxcd.io/name': 'llms' } }],
  ])('that %s keeps is changed in Git, or with --force', async (tool, metadata) => {
    const empty = { annotations: null, labels: null };
    await createDeployment(client, namespace, 'kept').catch(() => undefined);
    await client.patch(
      inferenceDeployments,
      { namespace, name: 'kept' },
      { metadata: { ...empty, ...metadata }, spec: { suspend: false } },
      { type: 'merge' },
    );
    const refused = await infer(['stop', 'kept']);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(`Error: ${tool} keeps kept as Git has it (llms) and would undo this.`);
    expect(refused.stderr).toMatch(/Git:\n +spec:\n +suspend: true\n/);
    expect((await infer(['update', 'kept', '--min-replicas', '2', '--max-replicas', '2'])).code).toBe(5);
    expect((await infer(['delete', 'kept', '--yes'])).code).toBe(5);
    expect((await stored('kept'))?.spec).toMatchObject({ suspend: false, minReplicas: 1 });
    expect((await infer(['stop', 'kept', '--force'])).code).toBe(0);
    expect((await stored('kept'))?.spec.suspend).toBe(true);
    expect((await infer(['start', 'kept'])).code).toBe(5);
  });

  test('is deleted only after a yes', async () => {
    await createDeployment(client, namespace, 'gone');
    const asked = await infer(['delete', 'gone']);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain('infer delete gone --yes');
    expect(await stored('gone')).toBeDefined();
    expect((await infer(['delete', 'gone', '--yes'])).code).toBe(0);
    expect(await stored('gone')).toBeUndefined();
  });

  test('is completed in a shell', async () => {
    expect((await infer(['models'])).stdout).toMatch(/^Catalogue:\nNAME.*\n(.*\n)*gated-7b +org\/gated-7b +gpu\.a100/);
    const { stdout } = await cli.run(['__complete', '-n', namespace, 'status', 'ch']);
    expect(stdout).toBe('chat\n');
    expect((await cli.run(['__complete', 'deploy', 'gat'])).stdout).toBe('gated-7b\n');
    expect((await cli.run(['__complete', 'deploy', '-g', 'gpu'])).stdout).toContain('gpu.a100\n');
  });
});

describe('a cluster', () => {
  test.each([
    ['without a kubeconfig', { KUBECONFIG: '/nowhere' }, /^Error: No kubeconfig: \/nowhere does not exist\.\nNext: /],
    [
      'that is not there',
      { KUBECONFIG: 'DEAD' },
      /^Error: The cluster cannot be reached: no answer from .*127\.0\.0\.1:1/,
    ],
  ])('%s ends with 6', async (_, env, message) => {
    const folder = temporaryFolder();
    const dead = readFileSync(sharedKubeconfig(), 'utf8').replace(/https:\/\/127\.0\.0\.1:\d+/, 'https://127.0.0.1:1');
    writeFileSync(`${folder}/kubeconfig`, dead);
    const KUBECONFIG = env.KUBECONFIG.replace('DEAD', `${folder}/kubeconfig`);
    const { code, stderr } = await infer(['status'], { env: { KUBECONFIG } });
    expect(stderr).toMatch(message);
    expect(code).toBe(6);
    const offline = await infer(['deploy', 'org/x', '--dry-run'], { env: { KUBECONFIG } });
    expect(offline.stderr).toContain('Not checked by a cluster:');
    expect(offline.stdout).toContain('kind: InferenceDeployment');
    rmSync(folder, { recursive: true });
  });

  test('with rights that do not suffice names the right that is missing', async () => {
    const folder = temporaryFolder();
    const kubeconfig = parse(readFileSync(sharedKubeconfig(), 'utf8')) as { users: { user: object }[] };
    for (const entry of kubeconfig.users) entry.user = { ...entry.user, as: 'nobody' };
    const text = JSON.stringify(kubeconfig);
    writeFileSync(`${folder}/kubeconfig`, text);
    const { code, stderr } = await infer(['status'], { env: { KUBECONFIG: `${folder}/kubeconfig` } });
    expect(stderr).toMatch(/^Error: You are not allowed to do this\. .*cannot list resource "inferencedeployments"/);
    expect(code).toBe(1);
    rmSync(folder, { recursive: true });
  });
});
