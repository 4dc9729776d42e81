/** What `kubectl apply -k` installs: accepted by a real API server without a warning, and least privilege. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { GATEWAY_POD_LABELS } from '../../src/api/labels.ts';
import { readSettings } from '../../src/gateway/settings.ts';
import { run, tryRun } from '../cluster/command.ts';
import { startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { repositoryRoot } from '../cluster/paths.ts';

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
  resourceNames?: string[];
}

interface ContainerManifest {
  name: string;
  image: string;
  env?: { name: string; value?: string; valueFrom?: Record<string, unknown> }[];
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
  securityContext?: Record<string, unknown>;
}

interface PodManifest {
  serviceAccountName?: string;
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  securityContext?: Record<string, unknown>;
  initContainers?: ContainerManifest[];
  containers: ContainerManifest[];
  volumes?: object[];
}

interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  rules?: Rule[];
  subjects?: { kind: string; name: string; namespace?: string }[];
  spec?: Record<string, unknown>;
}

interface LabelSelector {
  matchLabels?: Record<string, string>;
}

const OVERLAYS = ['namespaced', 'cluster', 'dev'];
const OPERATOR = 'system:serviceaccount:infer-system:infer-operator';
const GATEWAY = 'system:serviceaccount:infer-system:infer-gateway';
const BATCH = 'system:serviceaccount:infer-system:infer-batch';
const PROCESSES = ['infer-operator', 'infer-gateway', 'infer-batch'];

let plane: ControlPlane;
const rendered = new Map<string, Manifest[]>();

function overlay(name: string): string {
  return join(repositoryRoot, 'manifests/overlays', name);
}

async function kubectl(...args: string[]): Promise<string> {
  return await run(plane.kubectl, ['--kubeconfig', plane.kubeconfig, ...args]);
}

function manifests(name: string, kind?: string): Manifest[] {
  const all = rendered.get(name) ?? [];
  return kind === undefined ? all : all.filter((manifest) => manifest.kind === kind);
}

function podOf(deployment: Manifest): PodManifest {
  return (deployment.spec as { template: { spec: PodManifest } }).template.spec;
}

function aggregatesTo({ metadata }: Manifest): string {
  const prefix = 'rbac.authorization.k8s.io/aggregate-to-';
  return Object.keys(metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map((label) => label.slice(prefix.length))
    .join();
}

/** Returns the resources that the role may create. */
function creates(role: Manifest): string[] {
  return (role.rules ?? []).filter((rule) => rule.verbs.includes('create')).flatMap((rule) => rule.resources);
}

/** Every overlay with each of its Deployments, as rows of a table. */
function pods(): { where: string; pod: PodManifest }[] {
  return OVERLAYS.flatMap((name) =>
    manifests(name, 'Deployment').map((deployment) => ({
      where: `${name}/${deployment.metadata.name}`,
      pod: podOf(deployment),
    })),
  );
}

function containers(): { where: string; container: ContainerManifest }[] {
  return pods().flatMap(({ where, pod }) =>
    [...(pod.initContainers ?? []), ...pod.containers].map((container) => ({
      where: `${where}/${container.name}`,
      container,
    })),
  );
}

/** Returns whether the account may do it, as the API server's authorizer answers. */
async function may(account: string, verb: string, resource: string, namespace: string): Promise<boolean> {
  const question = ['auth', 'can-i', verb, resource, '--namespace', namespace, '--as', account];
  const { stdout, stderr } = await tryRun(plane.kubectl, ['--kubeconfig', plane.kubeconfig, ...question]);
  const answer = stdout.trim();
  if (answer !== 'yes' && answer !== 'no') throw new Error(`kubectl auth can-i ${verb} ${resource}: ${stderr}`);
  return answer === 'yes';
}

beforeAll(async () => {
  plane = await startControlPlane();
  await kubectl('apply', '-k', join(repositoryRoot, 'crds'));
  await kubectl('wait', '--for=condition=Established', '--timeout=30s', 'crd', '--all');
  await kubectl('create', 'namespace', 'team-a');
  await kubectl('create', 'namespace', 'team-b');
  for (const name of OVERLAYS) {
    const documents = parseAllDocuments(await run(plane.kubectl, ['kustomize', overlay(name)]));
    rendered.set(
      name,
      documents.map((document) => document.toJS() as Manifest),
    );
  }
}, 120_000);

afterAll(async () => {
  await plane.stop();
});

// In this order, since each overlay adds to what the one before has installed.
describe.each(OVERLAYS)('overlay %s on a real API server', (name) => {
  test('applies without a warning, and again without a change', async () => {
    await kubectl('apply', '--warnings-as-errors', '-k', overlay(name));
    const again = await kubectl('apply', '--warnings-as-errors', '-k', overlay(name));
    expect(again).toContain('deployment.apps/infer-operator unchanged');
    // A budget's selector has the patch strategy `replace`: kubectl sends it each time, and the server changes nothing.
    const lines = again.split('\n').filter((line) => line !== '' && !line.startsWith('poddisruptionbudget.policy/'));
    expect(lines.filter((line) => !line.endsWith(' unchanged'))).toEqual([]);
  }, 60_000);

  test('has pods that Pod Security "restricted" admits', async () => {
    const deployments = manifests(name, 'Deployment');
    expect(deployments.length).toBeGreaterThan(0);
    for (const deployment of deployments) {
      const metadata = { name: deployment.metadata.name, namespace: 'infer-system' };
      const pod = (change: object): string =>
        JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...podOf(deployment), ...change } });
      const create = ['--kubeconfig', plane.kubeconfig, 'create', '--dry-run=server', '-f', '-'];
      await run(plane.kubectl, create, { input: pod({}) });
      // The namespace enforces it: the same pod in the host's process namespace is refused.
      const refused = await tryRun(plane.kubectl, create, { input: pod({ hostPID: true }) });
      expect(refused.stderr).toContain('violates PodSecurity "restricted:latest"');
    }
  });

  test('lets the operator do what it needs where it looks, and nothing elsewhere', async () => {
    const elsewhere = name !== 'namespaced';
    expect(await may(OPERATOR, 'watch', 'inferencedeployments.infer.dev', 'team-a')).toBe(true);
    expect(await may(OPERATOR, 'patch', 'deployments.apps', 'team-a')).toBe(true);
    expect(await may(OPERATOR, 'patch', 'deployments.apps', 'team-b')).toBe(elsewhere);
    expect(await may(OPERATOR, 'list', 'pods', 'team-b')).toBe(elsewhere);
    expect(await may(OPERATOR, 'delete', 'controllerrevisions.apps', 'team-a')).toBe(true);
    expect(await may(OPERATOR, 'delete', 'controllerrevisions.apps', 'team-b')).toBe(elsewhere);
    expect(await may(OPERATOR, 'delete', 'deployments.apps', 'team-a')).toBe(false);
    expect(await may(OPERATOR, 'get', 'pods/log', 'team-a')).toBe(true);
    expect(await may(OPERATOR, 'get', 'pods/log', 'team-b')).toBe(elsewhere);
    expect(await may(OPERATOR, 'watch', 'hardwareprofiles.infer.dev', 'infer-system')).toBe(true);
    expect(await may(OPERATOR, 'create', 'leases.coordination.k8s.io', 'infer-system')).toBe(true);
    expect(await may(OPERATOR, 'update', 'leases.coordination.k8s.io/infer-operator', 'infer-system')).toBe(true);
    expect(await may(OPERATOR, 'update', 'leases.coordination.k8s.io/another', 'infer-system')).toBe(false);
    expect(await may(OPERATOR, 'create', 'leases.coordination.k8s.io', 'team-a')).toBe(false);
    expect(await may(OPERATOR, 'get', 'secrets', 'team-a')).toBe(false);
    expect(await may(OPERATOR, 'list', 'secrets', 'infer-system')).toBe(false);
    expect(await may(OPERATOR, 'create', 'pods', 'team-a')).toBe(false);
    expect(await may(OPERATOR, 'update', 'inferencedeployments.infer.dev', 'team-a')).toBe(false);
    expect(await may(OPERATOR, 'watch', 'inferencebatches.infer.dev', 'team-a')).toBe(true);
    expect(await may(OPERATOR, 'watch', 'inferencebatches.infer.dev', 'team-b')).toBe(elsewhere);
    expect(await may(OPERATOR, 'patch', 'inferencebatches.infer.dev/status', 'team-a')).toBe(false);
  });

  test('lets the gateways read what they route by where they look, and nothing else', async () => {
    const routed = ['inferencedeployments.infer.dev', 'apikeys.infer.dev', 'endpointslices.discovery.k8s.io'];
    for (const resource of routed) {
      expect([resource, await may(GATEWAY, 'watch', resource, 'team-a')]).toEqual([resource, true]);
      expect([resource, await may(GATEWAY, 'watch', resource, 'team-b')]).toEqual([resource, name !== 'namespaced']);
      expect([resource, await may(GATEWAY, 'patch', resource, 'team-a')]).toEqual([resource, false]);
    }
    expect(await may(GATEWAY, 'watch', 'catalogmodels.infer.dev', 'infer-system')).toBe(true);
    expect(await may(GATEWAY, 'watch', 'catalogmodels.infer.dev', 'team-a')).toBe(false);
    expect(await may(GATEWAY, 'patch', 'catalogmodels.infer.dev', 'infer-system')).toBe(false);
    for (const resource of ['pods', 'secrets', 'services', 'configmaps', 'leases.coordination.k8s.io']) {
      expect([resource, await may(GATEWAY, 'get', resource, 'team-a')]).toEqual([resource, false]);
      expect([resource, await may(GATEWAY, 'get', resource, 'infer-system')]).toEqual([resource, false]);
    }
  });

  test('lets the batch process keep batches where it looks, and nothing else', async () => {
    for (const verb of ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete']) {
      const answers = [await may(BATCH, verb, 'inferencebatches.infer.dev', 'team-a')];
      answers.push(await may(BATCH, verb, 'inferencebatches.infer.dev', 'team-b'));
      expect([verb, ...answers]).toEqual([verb, true, name !== 'namespaced']);
    }
    expect(await may(BATCH, 'update', 'inferencebatches.infer.dev/status', 'team-a')).toBe(true);
    expect(await may(BATCH, 'update', 'leases.coordination.k8s.io', 'infer-system')).toBe(true);
    expect(await may(BATCH, 'update', 'leases.coordination.k8s.io', 'team-a')).toBe(false);
    expect(await may(BATCH, 'create', 'serviceaccounts/infer-gateway', 'infer-system')).toBe(false);
    expect(await may(BATCH, 'watch', 'inferencedeployments.infer.dev', 'team-a')).toBe(true);
    expect(await may(BATCH, 'watch', 'inferencedeployments.infer.dev', 'team-b')).toBe(name !== 'namespaced');
    expect(await may(BATCH, 'patch', 'inferencedeployments.infer.dev', 'team-a')).toBe(false);
    const others = ['pods', 'secrets', 'apikeys.infer.dev', 'inferencedeployments.infer.dev', 'persistentvolumeclaims'];
    for (const resource of others) {
      expect([resource, await may(BATCH, 'get', resource, 'team-a')]).toEqual([resource, false]);
      expect([resource, await may(BATCH, 'get', resource, 'infer-system')]).toEqual([resource, false]);
    }
  });
});

describe('roles', () => {
  test.each(OVERLAYS)('of overlay %s name every right, and none that leads to others', (name) => {
    const rules = [...manifests(name, 'Role'), ...manifests(name, 'ClusterRole')].flatMap((role) => role.rules ?? []);
    expect(rules.length).toBeGreaterThan(10);
    for (const { apiGroups, resources, verbs, resourceNames } of rules) {
      expect([...apiGroups, ...resources, ...verbs]).not.toContain('*');
      expect(verbs).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(bind|escalate|impersonate)$/)]));
      for (const forbidden of ['secrets', 'nodes/proxy', 'pods/exec', 'roles', 'rolebindings']) {
        expect(resources).not.toContain(forbidden);
      }
      // Of its own account only, for the load channel.
      if (resources.includes('serviceaccounts/token')) {
        expect(verbs).toEqual(['create']);
        expect(resourceNames).toEqual([expect.stringMatching(/^infer-(operator|gateway|batch)$/)]);
      }
      // Replicas are marked before a scale-down; no pod is made or deleted.
      if (resources.includes('pods')) {
        expect(['get', 'list', 'watch', 'patch']).toEqual(expect.arrayContaining(verbs));
      }
      if (resources.includes('controllerrevisions'))
        expect(verbs).toEqual(['list', 'watch', 'create', 'patch', 'delete']);
      if (resources.includes('pods/log')) expect(verbs).toEqual(['get']);
      if (resources.includes('events')) expect(verbs).toEqual(['get', 'create', 'patch']);
    }
  });

  test.each(PROCESSES)('%s of both modes are the same rights', (name) => {
    const clusterRole = manifests('cluster', 'ClusterRole').find(({ metadata }) => metadata.name === name);
    const role = manifests('namespaced', 'Role').find(({ metadata }) => metadata.name === `${name}-watched`);
    expect(clusterRole?.rules).toBeDefined();
    expect(role?.rules).toEqual(clusterRole?.rules);
  });

  test('of the namespaced mode give no process a right beyond namespaces', () => {
    expect(manifests('namespaced', 'ClusterRoleBinding')).toEqual([]);
  });

  test('for users extend view, edit and admin; only admin creates keys, profiles and catalogue entries', () => {
    const roles = manifests('cluster', 'ClusterRole').filter(({ metadata }) => !PROCESSES.includes(metadata.name));
    expect(roles.map((role) => [aggregatesTo(role), creates(role)])).toEqual([
      ['admin', ['apikeys', 'hardwareprofiles', 'catalogmodels']],
      ['edit', ['inferencedeployments', 'inferencebatches']],
      ['view', []],
    ]);
  });

  test.each(OVERLAYS)('of overlay %s are bound to a ServiceAccount that is there', (name) => {
    const accounts = manifests(name, 'ServiceAccount').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    const subjects = manifests(name).flatMap((manifest) => manifest.subjects ?? []);
    expect(subjects.length).toBeGreaterThan(0);
    for (const { kind, namespace, name: subject } of subjects) {
      expect(kind).toBe('ServiceAccount');
      expect(accounts).toContain(`${namespace}/${subject}`);
    }
  });
});

describe('pods', () => {
  test('use a ServiceAccount token only where one is needed', () => {
    for (const { where, pod } of pods()) {
      const callsKubernetes = PROCESSES.some((name) => where.endsWith(`/${name}`));
      expect([where, pod.automountServiceAccountToken]).toEqual([where, callsKubernetes]);
      // Never `default`, whose rights anybody in the namespace may extend by mistake.
      expect([where, pod.serviceAccountName]).toEqual([where, where.split('/')[1]]);
      expect([where, pod.enableServiceLinks]).toEqual([where, false]);
    }
    for (const name of OVERLAYS) {
      for (const account of manifests(name, 'ServiceAccount')) {
        expect(account).toHaveProperty('automountServiceAccountToken', false);
      }
    }
  });

  test('run without root, under seccomp, with a read-only root and no capability', () => {
    for (const { where, pod } of pods()) {
      expect({ where, ...pod.securityContext }).toMatchObject({
        where,
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      // Nothing of a node, no Secret: the batch process has its files.
      const files = [{ name: 'files', persistentVolumeClaim: { claimName: 'infer-files' } }];
      expect([where, pod.volumes ?? []]).toEqual([where, where.endsWith('/infer-batch') ? files : []]);
    }
    for (const { where, container } of containers()) {
      expect({ where, ...container.securityContext }).toMatchObject({
        where,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  test('ask for CPU and memory, and bound their memory', () => {
    for (const { where, container } of containers()) {
      expect({ where, ...container.resources }).toMatchObject({
        where,
        requests: { cpu: expect.any(String), memory: expect.any(String) },
        limits: { memory: expect.any(String) },
      });
      expect(container).toHaveProperty('readinessProbe');
    }
  });

  test('name a tag other than latest, take no secret by environment, and download with the image of the operator', () => {
    for (const { where, container } of containers()) {
      expect([where, container.image]).toEqual([where, expect.stringMatching(/:(?!latest$)[\w.-]+$/)]);
      const env = container.env ?? [];
      expect(env.filter(({ valueFrom }) => valueFrom !== undefined && 'secretKeyRef' in valueFrom)).toEqual([]);
      if (container.name !== 'operator') continue;
      expect(env.find(({ name }) => name === 'INFER_IMAGE')?.value).toBe(container.image);
    }
  });

  test('are each selected by a NetworkPolicy, beside the one that denies all', () => {
    for (const name of OVERLAYS) {
      const policies = manifests(name, 'NetworkPolicy').map(({ spec }) => spec as { podSelector: LabelSelector });
      expect(policies).toContainEqual({ podSelector: {}, policyTypes: ['Ingress'] });
      for (const deployment of manifests(name, 'Deployment')) {
        const { selector } = deployment.spec as { selector: LabelSelector };
        expect(policies.map(({ podSelector }) => podSelector)).toContainEqual(selector);
      }
    }
  });
});

describe('the gateways', () => {
  test.each(OVERLAYS)('of overlay %s can be drained, updated and lost one by one', (name) => {
    const [deployment] = manifests(name, 'Deployment').filter(({ metadata }) => metadata.name === 'infer-gateway');
    const [budget] = manifests(name, 'PodDisruptionBudget');
    expect(deployment?.spec).toMatchObject({
      replicas: 2,
      strategy: { rollingUpdate: { maxUnavailable: 0 } },
      template: { spec: { topologySpreadConstraints: [{ topologyKey: 'kubernetes.io/hostname' }] } },
    });
    expect(budget?.spec).toMatchObject({ maxUnavailable: 1, selector: deployment?.spec?.['selector'] });
  });

  test('have the labels that the policy of replicas lets in, and end requests within their grace period', () => {
    for (const name of OVERLAYS) {
      const gateway = manifests(name, 'Deployment').find(({ metadata }) => metadata.name === 'infer-gateway');
      const { template } = (gateway?.spec ?? {}) as { template: { metadata: object; spec: object } };
      expect(template.metadata).toMatchObject({ labels: GATEWAY_POD_LABELS });
      const { leaveMs, drainMs } = readSettings({});
      const grace = (template.spec as { terminationGracePeriodSeconds: number }).terminationGracePeriodSeconds;
      expect(grace * 1_000 - leaveMs - drainMs).toBe(10_000);
    }
  });

  test('are where status says that clients reach them', () => {
    const [service] = manifests('cluster', 'Service').filter(({ metadata }) => metadata.name === 'infer-gateway');
    expect(service?.spec).toMatchObject({ ports: [{ port: 80, targetPort: 'api' }] });
    const urls = containers()
      .filter(({ container }) => container.name === 'operator')
      .map(({ container }) => container.env?.find(({ name }) => name === 'INFER_GATEWAY_URL')?.value);
    expect(new Set(urls)).toEqual(new Set(['http://infer-gateway.infer-system.svc/v1']));
  });
});

describe('the dev overlay', () => {
  test('uses images built on this machine alone, also in the profiles', () => {
    const profiles = manifests('dev', 'HardwareProfile').map(({ spec }) => spec?.['image']);
    expect(profiles.length).toBe(manifests('cluster', 'HardwareProfile').length);
    expect(new Set(profiles)).toEqual(new Set(['localhost/vllm-sim:dev']));
    const images = manifests('dev', 'Deployment').flatMap((deployment) => podOf(deployment).containers);
    for (const { image } of images) expect(image).toMatch(/^localhost\//);
  });
});
