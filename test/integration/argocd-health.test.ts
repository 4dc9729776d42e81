/** The shipped health customizations in Argo CD's own Lua engine, over statuses that the operator computes. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { REASON_ORDER, type ReplicaReason } from '../../src/api/conditions.ts';
import type { InferenceBatch, InferenceBatchStatus } from '../../src/api/generated/inference-batch.ts';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import type { DeploymentStatus, Pod } from '../../src/api/kubernetes.ts';
import type { Observation } from '../../src/operator/gather.ts';
import { plan } from '../../src/operator/plan.ts';
import { computeStatus } from '../../src/operator/status.ts';
import { run } from '../cluster/command.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { argoHealth, type ArgoHealth } from '../support/argocd.ts';
import {
  hardwareProfile,
  inferenceDeployment,
  INSTALL,
  observation,
  readyPod,
  replicaPod,
  standingOf,
} from '../support/resources.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const SETTLED: DeploymentStatus = { observedGeneration: 1, replicas: 1, updatedReplicas: 1 };

// The first use of the engine builds it.
beforeAll(async () => {
  await argoHealth([]);
}, 1_200_000);

/** The resource with the status that the operator gives it for what is `seen`. */
function judged(seen: Observation, status: DeploymentStatus = SETTLED): InferenceDeployment {
  const planned = plan(seen, INSTALL, NOW);
  const deployment = planned.children?.deployment;
  const live = deployment && { ...deployment, metadata: { ...deployment.metadata, generation: 1 }, status };
  const observed = { ...seen, children: { ...seen.children, deployment: live } };
  const decision = standingOf(seen.resource);
  const engineCauses = new Map();
  return {
    ...seen.resource,
    status: computeStatus(
      {
        observation: observed,
        plan: planned,
        decision,
        applyFailure: undefined,
        engineCauses,
        traffic: {},
        gatewayUrl: undefined,
      },
      NOW,
    ),
  };
}

function unplaced(message: string): Pod {
  return { metadata: { name: 'p' }, status: { conditions: [{ type: 'PodScheduled', status: 'False', message }] } };
}

const loading = replicaPod({ state: { running: { startedAt: '2026-01-01T00:00:10Z' } } });
const noGpu = unplaced('0/1 nodes are available: 1 Insufficient nvidia.com/gpu.');
const noNode = unplaced("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.");
const crashed = replicaPod({ restartCount: 9, lastState: { terminated: { exitCode: 1 } } });
const late = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' };
const overQuota = { type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: gpus' };
const serving = observation({ pods: [readyPod()] });
const unseen = { ...inferenceDeployment(), status: {} };
const edited = judged(serving);
edited.metadata = { ...edited.metadata, generation: 2 };
const deleted = judged(serving);
deleted.metadata = { ...deleted.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };

const rows: [sentence: string, resource: object, status: string, message: string][] = [
  ['serves', judged(serving), 'Healthy', 'Every replica that is wanted serves.'],
  [
    'serves with fewer replicas while more start',
    judged(observation({ resource: inferenceDeployment({ minReplicas: 2 }), pods: [readyPod(), loading] })),
    'Healthy',
    'Serves with fewer replicas than wanted',
  ],
  ['nobody has looked at yet', unseen, 'Progressing', 'has not seen it yet'],
  ['was changed since', edited, 'Progressing', 'has not seen the last change yet'],
  ['is just created', judged(observation()), 'Progressing', 'Kubernetes is creating the replicas.'],
  ['loads', judged(observation({ pods: [loading] })), 'Progressing', 'The engine loads the model.'],
  ['waits for a GPU', judged(observation({ pods: [noGpu] })), 'Progressing', 'No node has 1 nvidia.com/gpu free'],
  [
    'waits for a GPU after the deadline',
    judged(observation({ pods: [noGpu] }), { ...SETTLED, conditions: [late] }),
    'Degraded',
    'No node has 1 nvidia.com/gpu free',
  ],
  [
    'loads after the deadline',
    judged(observation({ pods: [loading] }), { ...SETTLED, conditions: [late] }),
    'Degraded',
    'startupTimeoutSeconds',
  ],
  ['no node matches', judged(observation({ pods: [noNode] })), 'Degraded', 'No node matches profile gpu.a100'],
  ['crashes', judged(observation({ pods: [crashed] })), 'Degraded', 'again and again'],
  [
    'has no room in the quota',
    judged(observation(), { ...SETTLED, replicas: 0, updatedReplicas: 0, conditions: [overQuota] }),
    'Degraded',
    'exceeded quota: gpus',
  ],
  ['has no profile', judged(observation({ profile: undefined })), 'Degraded', 'no HardwareProfile gpu.a100'],
  [
    'rolls out',
    judged(observation({ pods: [readyPod(), loading] }), { ...SETTLED, replicas: 2 }),
    'Progressing',
    'Replicas of the new revision replace the old ones.',
  ],
  [
    'rolls out and looks for room for one more',
    judged(observation({ pods: [readyPod(), noGpu] }), { ...SETTLED, replicas: 2 }),
    'Progressing',
    'No node has 1 nvidia.com/gpu free',
  ],
  [
    'serves the old revision while the new one crashes',
    judged(observation({ pods: [readyPod(), crashed] }), { ...SETTLED, replicas: 2 }),
    'Degraded',
    'again and again',
  ],
  [
    'is suspended',
    judged(observation({ resource: inferenceDeployment({ suspend: true }) })),
    'Suspended',
    'Stopped by spec.suspend; set it to false to start again.',
  ],
  [
    'is scaled to zero',
    judged(observation({ resource: inferenceDeployment({ minReplicas: 0 }) }), {
      ...SETTLED,
      replicas: 0,
      updatedReplicas: 0,
    }),
    'Healthy',
    'No replica runs for want of requests',
  ],
  ['is being deleted', deleted, 'Progressing', 'Pending deletion'],
];

test.each(rows)('an InferenceDeployment that %s', async (_sentence, resource, status, message) => {
  expect(await argoHealth([resource])).toEqual([{ status, message: expect.stringContaining(message) }]);
});

function withReason(reason: ReplicaReason): InferenceDeployment {
  const resource = judged(observation());
  const conditions = resource.status?.conditions?.map((condition) =>
    condition.type === 'Ready' ? { ...condition, reason } : condition,
  );
  return { ...resource, status: { ...resource.status, ...(conditions && { conditions }) } };
}

test('every reason is a failure but those of a way that every replica goes', async () => {
  const answers = await argoHealth(REASON_ORDER.map(withReason));
  const passing = REASON_ORDER.filter((_, index) => answers[index]?.status === 'Progressing');
  expect(passing).toEqual([
    'WaitingForDeletion',
    'WaitingForGPU',
    'Resolving',
    'Scheduling',
    'Downloading',
    'Loading',
    'Draining',
  ]);
  expect(answers.filter((answer: ArgoHealth | null) => answer?.status === 'Degraded')).toHaveLength(
    REASON_ORDER.length - passing.length,
  );
});

const batches: [reason: string, done: boolean, status: string][] = [
  ['Validating', false, 'Progressing'],
  ['InProgress', false, 'Progressing'],
  ['Finalizing', false, 'Progressing'],
  ['Cancelling', false, 'Progressing'],
  ['Completed', true, 'Healthy'],
  ['Cancelled', true, 'Healthy'],
  ['Failed', true, 'Degraded'],
  ['Expired', true, 'Degraded'],
];

function inferenceBatch(status?: InferenceBatchStatus): InferenceBatch {
  return {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'InferenceBatch',
    metadata: { name: 'nightly', namespace: 'team-a' },
    spec: { inputFileId: `file-${'0'.repeat(32)}`, endpoint: '/v1/chat/completions', apiKey: 'jobs' },
    ...(status && { status }),
  };
}

test.each(batches)('an InferenceBatch that is %s', async (reason, done, status) => {
  const message = `The batch is ${reason}.`;
  const complete = { type: 'Complete', reason, message, lastTransitionTime: '2026-01-01T00:00:00Z' };
  const resource = inferenceBatch({ conditions: [{ ...complete, status: done ? 'True' : 'False' }] });
  expect(await argoHealth([resource])).toEqual([{ status, message }]);
});

test('an InferenceBatch that nobody has looked at yet', async () => {
  const health = { status: 'Progressing', message: "Infer's batch process has not seen it yet." };
  expect(await argoHealth([inferenceBatch(), inferenceBatch({})])).toEqual([health, health]);
});

test('kinds without a status are healthy, so that an application with them is', async () => {
  const kinds = ['APIKey', 'CatalogModel'].map((kind) => ({ ...hardwareProfile(), kind, spec: {} }));
  expect(await argoHealth([hardwareProfile(), ...kinds])).toEqual(
    Array.from({ length: 3 }, () => ({ status: 'Healthy' })),
  );
});

test.each(['', 'namespace: argocd'])(
  'the component merges them into argocd-cm with "%s" of its own',
  async (namespace) => {
    const directory = await mkdtemp(join(tmpdir(), 'argocd-'));
    try {
      await cp(join(repositoryRoot, 'manifests/argocd'), join(directory, 'infer'), { recursive: true });
      const config = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  ${namespace}\ndata:\n  url: kept\n`;
      await writeFile(join(directory, 'argocd-cm.yaml'), config);
      const kustomization = { resources: ['argocd-cm.yaml'], components: ['infer'] };
      await writeFile(join(directory, 'kustomization.yaml'), JSON.stringify(kustomization));
      const rendered = await run(process.env['INFER_TEST_KUBECTL'] ?? '', ['kustomize', directory]);
      const { data } = parse(rendered) as { data: Record<string, string> };
      expect(Object.keys(data)).toHaveLength(6);
      expect(data['url']).toBe('kept');
    } finally {
      await rm(directory, { recursive: true });
    }
  },
);
