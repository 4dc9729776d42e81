import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, INSTALL, observation } from '../../../test/support/resources.ts';
import type { Deployment } from '../../api/kubernetes.ts';
import { plan } from '../plan.ts';
import { restoreTurns } from './restore-turns.ts';
import type { TemplateRevision } from './revisions.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const seen = observation({ profile: hardwareProfile({ rollout: 'Auto' }) });
const { children, template } = plan(seen, INSTALL, NOW);
const revision = template?.revision as TemplateRevision;
const taken = { ...revision, metadata: { ...revision.metadata, annotations: { 'infer.dev/taken-by': 'Auto' } } };
const deployment = children?.deployment as Deployment;
const conditions = [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }];
const rolling: Deployment = {
  ...deployment,
  metadata: { ...deployment.metadata, generation: 2 },
  spec: { ...deployment.spec, replicas: 1 },
  status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1, conditions },
};
const settled: Deployment = {
  ...rolling,
  status: { ...rolling.status, observedGeneration: 2 },
};

/** Whether another deployment of the profile may take a template, when a new leader finds these objects. */
function isFree(revisions: TemplateRevision[], live: Deployment | undefined): boolean {
  const caches = {
    inferenceDeployments: { list: () => [seen.resource] },
    controllerRevisions: { byIndex: (_index: string, key: string) => (key === 'team-a/uid-chat' ? revisions : []) },
    deployments: { get: ({ name }: { name: string }) => (name === 'infer-chat' ? live : undefined) },
  };
  const turns = restoreTurns(caches as unknown as Parameters<typeof restoreTurns>[0], () => undefined);
  return turns.isFree({ namespace: 'team-b', name: 'other' }, 'gpu.a100');
}

describe('a new leader finds the turn', () => {
  const newer = { ...revision, metadata: { ...revision.metadata, name: 'infer-chat-b-c' }, revision: 2 };
  test.each<[string, TemplateRevision[], Deployment | undefined, boolean]>([
    ['held by a deployment that took a template by itself and has not settled on it', [taken], rolling, false],
    ['held where the Deployment was not written any more', [taken], undefined, false],
    ['free where it has settled', [taken], settled, true],
    ['free where its user asked for the template', [revision], rolling, true],
    ['free where its user has asked for another since', [taken, newer], rolling, true],
    ['free where there is none', [], undefined, true],
  ])('%s', (_sentence, revisions, live, free) => {
    expect(isFree(revisions, live)).toBe(free);
  });
});
