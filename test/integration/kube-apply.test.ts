/** Server-side apply against a real API server: what is applied once is not sent again, and what others change is repaired. */
import https from 'node:https';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Applier } from '../../src/kube/apply.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { isConflict } from '../../src/kube/errors.ts';
import { ownersOf } from '../../src/kube/managed-fields.ts';
import type { KubeObject, Resource } from '../../src/kube/types.ts';
import { ensureCertificate } from '../cluster/certificates.ts';
import { waitFor } from '../cluster/wait.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { clientOf, createNamespace, sharedKubeconfig } from '../support/kube.ts';

interface Deployment extends KubeObject {
  spec: Record<string, unknown>;
}

const deployments: Resource<Deployment> = {
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  plural: 'deployments',
  namespaced: true,
};

let direct: KubeClient;
let proxy: FaultProxy;
let client: KubeClient;
let namespace: string;

beforeAll(async () => {
  direct = clientOf(sharedKubeconfig());
  proxy = await startFaultProxy({ upstream: sharedKubeconfig() });
  client = clientOf(proxy.kubeconfig);
  namespace = await createNamespace(direct, 'apply');
});

afterAll(async () => {
  await client.close();
  await direct.close();
  await proxy.stop();
});

function newApplier(): Applier {
  return new Applier({ client, fieldManager: 'tests', hashAnnotation: 'example.com/applied' });
}

/** Full of what the server changes: quantities, defaulted keys and fields of list items, zero values, empty lists and maps. */
function intent(name: string): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace, name, labels: { app: name } },
    spec: {
      replicas: 0,
      selector: { matchLabels: { app: name } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          enableServiceLinks: false,
          hostNetwork: false,
          nodeSelector: {},
          tolerations: [],
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          volumes: [
            { name: 'scratch', emptyDir: {} },
            { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '2048Mi' } },
          ],
          containers: [
            {
              name: 'main',
              image: 'registry.example/main:1',
              args: ['--one', '--two'],
              env: [{ name: 'A', value: '' }],
              ports: [{ name: 'http', containerPort: 8000 }],
              resources: { requests: { cpu: '1000m', memory: '1024Mi' }, limits: { memory: '1Gi' } },
              volumeMounts: [{ name: 'scratch', mountPath: '/tmp', readOnly: false }],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    },
  };
}

async function live(name: string): Promise<Deployment> {
  return await waitFor(`Deployment ${name}`, async () => await direct.get(deployments, { namespace, name }));
}

interface PodSpec {
  containers: Record<string, unknown>[];
  volumes: Record<string, unknown>[];
}

function podSpec(object: Deployment): PodSpec {
  return (object.spec['template'] as { spec: PodSpec }).spec;
}

/** Applies `wanted` with a fresh memory, as after a restart, and returns how many writes that took. */
async function writesOf(wanted: Deployment, applier = newApplier()): Promise<number> {
  const before = proxy.writes().length;
  await applier.apply(deployments, wanted, await direct.get(deployments, wanted.metadata));
  return proxy.writes().length - before;
}

async function change(name: string, body: unknown, type: 'merge' | 'json' = 'json'): Promise<void> {
  await direct.patch(deployments, { namespace, name }, body, { type, fieldManager: 'someone' });
}

describe('an intent that is applied', () => {
  test('is sent once, also by a process that remembers nothing', async () => {
    const wanted = intent('once');
    const first = await newApplier().apply(deployments, wanted, undefined);
    expect(first.changed).toBe(true);
    expect(await writesOf(wanted)).toBe(0);
    const again = await newApplier().apply(deployments, wanted, await live('once'));
    expect(again.changed).toBe(false);
  });

  test('is not sent again after the controllers wrote its status', async () => {
    const wanted = intent('status');
    await newApplier().apply(deployments, wanted, undefined);
    await waitFor('the status', async () => {
      const status = (await live('status')) as Deployment & { status?: { observedGeneration?: number } };
      return status.status?.observedGeneration;
    });
    expect(await writesOf(wanted)).toBe(0);
  });

  test('loses a field that the intent no longer has', async () => {
    const wanted = intent('removal');
    await newApplier().apply(deployments, wanted, undefined);
    const { args: _args, ...rest } = podSpec(wanted).containers[0] ?? {};
    podSpec(wanted).containers = [rest];
    expect(await writesOf(wanted)).toBe(1);
    expect(podSpec(await live('removal')).containers[0]).not.toHaveProperty('args');
    expect(await writesOf(wanted)).toBe(0);
  });

  test('is refused with a conflict when the object was deleted or replaced meanwhile', async () => {
    const wanted = intent('replaced');
    const { object } = await newApplier().apply(deployments, wanted, undefined);
    await direct.delete(deployments, wanted.metadata);
    const changed = { ...wanted, metadata: { ...wanted.metadata, labels: { app: 'replaced', more: 'x' } } };
    const late = newApplier().apply(deployments, changed, object);
    await expect(late.catch((error: unknown) => isConflict(error))).resolves.toBe(true);
    expect(await direct.get(deployments, wanted.metadata)).toBeUndefined();
  });
});

describe('an object that somebody made between our look and our apply', () => {
  test.each<[string, (spec: Record<string, unknown>) => Record<string, unknown>]>([
    ['differs', (spec) => ({ ...spec, replicas: 1 })],
    ['is the same', (spec) => spec],
  ])('and that %s is not taken over', async (title, change) => {
    const wanted = intent(`foreign-${title.replaceAll(' ', '-')}`);
    const theirs = { ...wanted, spec: change(wanted.spec) };
    const made = await direct.create(deployments, theirs, { fieldManager: 'someone' });
    const late = newApplier().apply(deployments, wanted, undefined);
    await expect(late.catch((error: unknown) => isConflict(error))).resolves.toBe(true);
    const { metadata, spec } = await live(wanted.metadata.name);
    expect(spec).toEqual(made.spec);
    expect(metadata.annotations?.['example.com/applied']).toBeUndefined();
    expect(metadata.managedFields?.map(({ manager }) => manager)).not.toContain('tests');
  });
});

describe('a change by someone else', () => {
  const template = '/spec/template/spec';
  test.each<[string, unknown]>([
    ['of a label', [{ op: 'replace', path: '/metadata/labels/app', value: 'x' }]],
    ['of an argument', [{ op: 'replace', path: `${template}/containers/0/args/1`, value: '--three' }]],
    ['of a quantity', [{ op: 'replace', path: `${template}/containers/0/resources/requests/cpu`, value: '2' }]],
    ['that removes a false', [{ op: 'remove', path: `${template}/enableServiceLinks` }]],
    [
      'that removes a false deep in a list',
      [{ op: 'remove', path: `${template}/containers/0/securityContext/allowPrivilegeEscalation` }],
    ],
    ['that sets a false to true', [{ op: 'replace', path: `${template}/hostNetwork`, value: true }]],
    ['that removes an item of a list', [{ op: 'remove', path: `${template}/volumes/1` }]],
    ['of the annotation that holds the hash', [{ op: 'remove', path: '/metadata/annotations' }]],
    ['that clears managedFields', [{ op: 'replace', path: '/metadata/managedFields', value: [{}] }]],
  ])('%s is repaired by one write', async (title, patch) => {
    const name = `repair-${title.replaceAll(/[^a-z]+/g, '-')}`;
    const wanted = intent(name);
    await newApplier().apply(deployments, wanted, undefined);
    const before = await live(name);
    await change(name, patch);
    const after = await live(name);
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion);
    expect(await writesOf(wanted)).toBe(1);
    expect((await live(name)).spec).toEqual(before.spec);
    expect(await writesOf(wanted)).toBe(0);
  });

  test.each<[string, unknown]>([
    ['an added label', [{ op: 'add', path: '/metadata/labels/team', value: 'x' }]],
    [
      'an injected sidecar',
      [
        {
          op: 'add',
          path: `${template}/containers/-`,
          value: { name: 'sidecar', image: 'registry.example/sidecar:1' },
        },
      ],
    ],
    [
      'an added environment variable',
      [{ op: 'add', path: `${template}/containers/0/env/-`, value: { name: 'B', value: 'b' } }],
    ],
    [
      'the annotation of a rollout restart',
      [
        {
          op: 'add',
          path: '/spec/template/metadata/annotations',
          value: { 'kubectl.kubernetes.io/restartedAt': 'now' },
        },
      ],
    ],
  ])('%s is left alone', async (title, patch) => {
    const name = `foreign-${title.replaceAll(/[^a-z]+/g, '-')}`;
    const wanted = intent(name);
    await newApplier().apply(deployments, wanted, undefined);
    await change(name, patch);
    const before = await live(name);
    expect(await writesOf(wanted)).toBe(0);
    podSpec(wanted).containers[0] = { ...podSpec(wanted).containers[0], image: 'registry.example/main:2' };
    expect(await writesOf(wanted)).toBe(1);
    const after = await live(name);
    podSpec(before).containers[0] = { ...podSpec(before).containers[0], image: 'registry.example/main:2' };
    expect(after.spec).toEqual(before.spec);
    expect(after.metadata.labels).toEqual(before.metadata.labels);
  });

  test('that puts another kind of volume in the place of ours is reported, since apply cannot remove what others set', async () => {
    const wanted = intent('union');
    await newApplier().apply(deployments, wanted, undefined);
    const volume = { name: 'scratch', hostPath: { path: '/' } };
    await change('union', [{ op: 'replace', path: `${template}/volumes/0`, value: volume }]);
    const repair = newApplier().apply(deployments, wanted, await live('union'));
    await expect(repair).rejects.toMatchObject({ status: 422 });
  });

  test('of replicas by `kubectl scale` shows in managedFields, and an intent without the field leaves it', async () => {
    const wanted = intent('scaled');
    await newApplier().apply(deployments, wanted, undefined);
    expect(ownersOf(await live('scaled'), ['spec', 'replicas'])).toEqual(['tests']);
    await direct.patch(
      deployments,
      wanted.metadata,
      { spec: { replicas: 2 } },
      { type: 'merge', subresource: 'scale', fieldManager: 'kubectl' },
    );
    const scaled = await live('scaled');
    expect(ownersOf(scaled, ['spec', 'replicas'])).toEqual(['kubectl']);
    const { replicas: _replicas, ...spec } = wanted.spec;
    expect(await writesOf({ ...wanted, spec })).toBe(1);
    expect((await live('scaled')).spec['replicas']).toBe(2);
    expect(await writesOf({ ...wanted, spec })).toBe(0);
  });
});

describe('a webhook that changes what we apply', () => {
  let server: https.Server;
  let directory: string;
  /** What the webhook does to each object of the namespace. */
  let patch: unknown[] = [];
  const webhooks: Resource = {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    kind: 'MutatingWebhookConfiguration',
    plural: 'mutatingwebhookconfigurations',
    namespaced: false,
  };
  const name = 'tests-apply';

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'infer-webhook-'));
    const issuer = await ensureCertificate(join(directory, 'ca'), { commonName: 'webhook-ca' });
    const pair = await ensureCertificate(join(directory, 'server'), {
      commonName: 'webhook',
      issuer,
      alternativeNames: ['IP:127.0.0.1'],
    });
    server = https.createServer(
      { cert: await readFile(pair.certificateFile), key: await readFile(pair.keyFile) },
      (request, response) => {
        void text(request).then((body) => {
          const { uid } = (JSON.parse(body) as { request: { uid: string } }).request;
          const answer = { uid, allowed: true, patchType: 'JSONPatch', patch: btoa(JSON.stringify(patch)) };
          response.setHeader('content-type', 'application/json');
          response.end(
            JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }),
          );
        });
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const webhook = {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingWebhookConfiguration',
      metadata: { name },
      webhooks: [
        {
          name: 'change.example.com',
          clientConfig: {
            url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`,
            caBundle: (await readFile(issuer.certificateFile)).toString('base64'),
          },
          rules: [
            { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] },
          ],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
          admissionReviewVersions: ['v1'],
          sideEffects: 'None',
        },
      ],
    };
    await direct.create(webhooks, webhook);
  });

  afterAll(async () => {
    await direct.delete(webhooks, { name });
    const closed = new Promise((resolve) => server.close(resolve));
    // One on which nothing was asked yet is not idle to Node, and would be waited for.
    server.closeAllConnections();
    await closed;
    await rm(directory, { recursive: true });
  });

  test.each<[string, unknown[]]>([
    [
      'a field of ours',
      [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'mirror.example/main:1' }],
    ],
    ['a field of ours by removing it', [{ op: 'remove', path: '/spec/template/spec/enableServiceLinks' }]],
    ['the hash by removing it', [{ op: 'remove', path: '/metadata/annotations/example.com~1applied' }]],
  ])('%s starts no fight', async (title, webhookPatch) => {
    const wanted = intent(`webhook-${title.replaceAll(/[^a-z]+/g, '-')}`);
    patch = webhookPatch;
    // The API server learns of a new webhook after a moment.
    const mutated = await waitFor('the webhook', async () => {
      const probe = await direct.create(deployments, {
        ...wanted,
        metadata: { ...wanted.metadata, annotations: { 'example.com/applied': 'x' } },
      });
      await direct.delete(deployments, wanted.metadata);
      const spec = podSpec(probe);
      const untouched =
        spec.containers[0]?.['image'] === 'registry.example/main:1' &&
        'enableServiceLinks' in spec &&
        probe.metadata.annotations?.['example.com/applied'] === 'x';
      return untouched ? undefined : true;
    });
    expect(mutated).toBe(true);
    await waitFor('the deletion', async () =>
      (await direct.get(deployments, wanted.metadata)) === undefined ? true : undefined,
    );

    const applier = newApplier();
    await applier.apply(deployments, wanted, undefined);
    const writes = [await writesOf(wanted, applier), await writesOf(wanted, applier)];
    expect(writes).toEqual([0, 0]);
    // After a restart there is at most one apply, which stores nothing, and then none.
    const restarted = newApplier();
    const before = await live(wanted.metadata.name);
    expect(await writesOf(wanted, restarted)).toBeLessThanOrEqual(1);
    expect(await writesOf(wanted, restarted)).toBe(0);
    expect((await live(wanted.metadata.name)).metadata.generation).toBe(before.metadata.generation);
  });
});
