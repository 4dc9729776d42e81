/** Names of deployments in one namespace, by the operator as a process with its shipped rights on a real API server. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import { deployments, inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { eventually } from '../support/eventually.ts';
import { FakeKubelet, servingStatus } from '../support/fake-kubelet.ts';
import { createNamespace } from '../support/kube.ts';
import { startOperatorBed, stopOperatorBed } from '../support/operator-bed.ts';
import { OperatorProcess } from '../support/operator-process.ts';
import { createDeployment, readyReason } from '../support/scenario.ts';

let client: KubeClient;
let proxy: FaultProxy;
let operator: OperatorProcess;
let kubelet: FakeKubelet;
let namespace: string;

beforeAll(async () => {
  ({ client, kubelet, namespace, proxy } = await startOperatorBed('names'));
  operator = OperatorProcess.start({ kubeconfig: proxy.kubeconfig });
}, 60_000);

afterAll(async () => {
  await stopOperatorBed(operator, { client, kubelet, proxy });
}, 30_000);

async function edit(name: string, spec: object): Promise<void> {
  await client.patch(inferenceDeployments, { namespace, name }, { spec }, { type: 'merge' });
}

async function remove(name: string): Promise<void> {
  await client.delete(inferenceDeployments, { namespace, name });
}

/** Creates a deployment that the next one, made after this returns, is younger than: their ages are whole seconds. */
async function createFirst(name: string, aliases: string[]): Promise<void> {
  const { metadata } = await createDeployment(client, namespace, name, { aliases });
  const next = Date.parse(metadata.creationTimestamp ?? '') + 1_000;
  await readyReason(client, namespace, 'Serving', name);
  await eventually(() => expect(Date.now()).toBeGreaterThan(next));
}

function condition(resource: InferenceDeployment, type: string): { status: string; message: string } | undefined {
  return resource.status?.conditions?.find((candidate) => candidate.type === type);
}

async function engineArguments(name: string): Promise<string[]> {
  const child = await client.get(deployments, { namespace, name: `infer-${name}` });
  return child?.spec.template.spec.containers[0]?.args ?? [];
}

describe('an alias that two deployments claim', () => {
  test('belongs to the older one; the other is refused by a sentence, and accepted as soon as the first has gone', async () => {
    await createFirst('older', ['llama']);
    await createDeployment(client, namespace, 'younger', { aliases: ['mine', 'llama'] });
    const refused = await readyReason(client, namespace, 'NameConflict', 'younger');
    expect(condition(refused, 'Accepted')).toMatchObject({
      status: 'False',
      message: expect.stringMatching(
        /^The alias llama belongs to deployment older, which is older\. Remove it here or/,
      ),
    });
    expect(await client.get(deployments, { namespace, name: 'infer-younger' })).toBeUndefined();
    const owner = await client.get(inferenceDeployments, { namespace, name: 'older' });
    expect(owner && condition(owner, 'Ready')?.status).toBe('True');
    await remove('older');
    await readyReason(client, namespace, 'Serving', 'younger');
    await remove('younger');
  }, 60_000);

  test('claimed later by one that serves leaves it serving as it is, until either drops it', async () => {
    await createFirst('first', ['llama']);
    await createFirst('second', []);
    const before = await engineArguments('second');
    await edit('second', { aliases: ['llama'], engine: { maxModelLen: 1024 } });
    const refused = await readyReason(client, namespace, 'NameConflict', 'second');
    expect(condition(refused, 'Available')?.status).toBe('True');
    expect(refused.status?.replicas).toMatchObject({ ready: 1 });
    expect(await engineArguments('second')).toEqual(before);

    await edit('first', { aliases: ['mistral'] });
    await readyReason(client, namespace, 'Serving', 'second');
    await eventually(async () => expect(await engineArguments('second')).toContain('--max-model-len=1024'));

    await edit('second', { aliases: ['llama', 'mistral'] });
    await readyReason(client, namespace, 'NameConflict', 'second');
    await edit('second', { aliases: ['llama'] });
    await readyReason(client, namespace, 'Serving', 'second');
    await remove('first');
    await remove('second');
  }, 60_000);

  test('yields to a deployment of that name, however young, and comes back when it goes', async () => {
    await createFirst('chat', ['taken']);
    await createDeployment(client, namespace, 'taken');
    await readyReason(client, namespace, 'Serving', 'taken');
    const refused = await readyReason(client, namespace, 'NameConflict', 'chat');
    expect(condition(refused, 'Accepted')?.message).toMatch(
      /^The alias taken is the name of a deployment .* Choose another/,
    );
    expect(condition(refused, 'Available')?.status).toBe('True');
    await remove('taken');
    await readyReason(client, namespace, 'Serving', 'chat');
    await remove('chat');
  }, 60_000);

  test('in another namespace is no clash', async () => {
    await createFirst('chat', ['llama']);
    const elsewhere = await createNamespace(client, 'names-too');
    const others = new FakeKubelet(client, servingStatus, elsewhere);
    try {
      await createDeployment(client, elsewhere, 'chat', { aliases: ['llama'] });
      await readyReason(client, elsewhere, 'Serving', 'chat');
    } finally {
      await others.stop();
    }
    await remove('chat');
  }, 60_000);
});

test('adapters are brought and served, and a change of them is a rollout', async () => {
  const sql = { name: 'sql', id: 'org/lora-sql' };
  await createDeployment(client, namespace, 'tuned', { adapters: [sql] });
  await readyReason(client, namespace, 'Serving', 'tuned');
  expect(await engineArguments('tuned')).toContain('tuned:sql=/var/lib/infer/model/.infer/adapters/sql');
  await edit('tuned', { adapters: [sql, { name: 'python', id: 'org/lora-python' }] });
  await eventually(async () => {
    expect(await engineArguments('tuned')).toContain('tuned:python=/var/lib/infer/model/.infer/adapters/python');
  });
  await readyReason(client, namespace, 'Serving', 'tuned');
}, 60_000);
