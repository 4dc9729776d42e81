import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, INSTALL, observation } from '../../test/support/resources.ts';
import type { Deployment } from '../api/kubernetes.ts';
import type { ManagedFieldsEntry } from '../kube/types.ts';
import type { Observation } from './gather.ts';
import { plan } from './plan.ts';
import { modelHash } from './preflight/resolve.ts';

/** As where we own a whole pod template. */
const OWNS_TEMPLATE: ManagedFieldsEntry = {
  manager: 'infer',
  operation: 'Apply',
  fieldsV1: { 'f:spec': { 'f:template': {} } },
};

/** The live Deployment of `chat`, whose `replicas` the given managers own. */
function live(replicas: number, managers: string[], owner = 'uid-chat'): Deployment {
  const planned = plan(observation(), INSTALL, NOW).children?.deployment as Deployment;
  const managedFields = managers.map((manager): ManagedFieldsEntry => ({
    manager,
    operation: 'Apply',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:spec': { 'f:replicas': {} } },
  }));
  const [reference] = planned.metadata.ownerReferences ?? [];
  return {
    ...planned,
    metadata: {
      ...planned.metadata,
      managedFields,
      ownerReferences: reference ? [{ ...reference, uid: owner }] : [],
    },
    spec: { ...planned.spec, replicas },
  };
}

function withDeployment(deployment: Deployment): ReturnType<typeof observation> {
  return observation({
    children: { ...observation().children, deployment },
  });
}

const NOW = new Date('2026-01-01T00:00:00Z');

describe('plan', () => {
  test.each([
    ['a Deployment is created with no replica', undefined, 0],
    ['while the reconciler alone owns replicas it sends the live value', live(0, ['infer']), 0],
    ['also when someone raised it by the scale subresource without owning it', live(4, ['infer']), 4],
    ['once the scaler owns replicas they are left out', live(3, ['infer-scaler']), undefined],
    ['the same while both own them', live(3, ['infer', 'infer-scaler']), undefined],
  ])('hand-over: %s', (_sentence, deployment, replicas) => {
    const seen = deployment ? withDeployment(deployment) : observation();
    expect(plan(seen, INSTALL, NOW).children?.deployment?.spec.replicas).toBe(replicas);
  });

  test('an unknown profile is refused with the command that lists those there are', () => {
    const { children, refusal } = plan(observation({ profile: undefined }), INSTALL, NOW);
    expect(children).toBeUndefined();
    expect(refusal?.reason).toBe('UnknownHardwareProfile');
    expect(refusal?.message).toMatch(/no HardwareProfile gpu\.a100 .*kubectl -n infer-system get hardwareprofiles/);
  });

  test('a profile that names other namespaces is refused', () => {
    const profile = hardwareProfile({ allowedNamespaces: ['team-b'] });
    expect(plan(observation({ profile }), INSTALL, NOW).refusal?.reason).toBe('ProfileNotAllowed');
    const allowed = hardwareProfile({ allowedNamespaces: ['team-a'] });
    expect(plan(observation({ profile: allowed }), INSTALL, NOW).refusal).toBeUndefined();
  });

  test('an alias of another deployment is refused, with who has it and what to do', () => {
    const owner = { ...observation().resource, metadata: { name: 'older', namespace: 'team-a' } };
    const lost = plan(observation({ lostAlias: { alias: 'llama', owner } }), INSTALL, NOW);
    expect(lost).toMatchObject({ mayScaleDown: true, refusal: { reason: 'NameConflict' } });
    expect(lost.children).toBeUndefined();
    expect(lost.lookAgainMs).toBeUndefined();
    expect(lost.refusal?.message).toMatch(/^The alias llama belongs to deployment older, .* Remove it here or there/);
    const taken = plan(observation({ lostAlias: { alias: 'older', owner } }), INSTALL, NOW);
    expect(taken.refusal?.message).toMatch(/^The alias older is the name of a deployment .* Choose another alias/);
  });

  test('a refused spec may still be scaled down, one whose Deployment is not ours may not', () => {
    expect(plan(observation({ profile: undefined }), INSTALL, NOW).mayScaleDown).toBe(true);
    const foreign = live(1, ['kubectl']);
    foreign.metadata = { name: 'infer-chat' };
    expect(plan(withDeployment(foreign), INSTALL, NOW).mayScaleDown).toBeUndefined();
  });

  test('a child of ours that lost its owner reference is ours, and gets it back', () => {
    const stripped = live(1, ['infer']);
    stripped.metadata.ownerReferences = [];
    const planned = plan(withDeployment(stripped), INSTALL, NOW);
    expect(planned.refusal).toBeUndefined();
    expect(planned.children?.deployment?.metadata.ownerReferences).toHaveLength(1);
  });

  test("someone else's object of the same name is never adopted", () => {
    const foreign = live(1, ['kubectl']);
    foreign.metadata = { name: 'infer-chat', namespace: 'team-a', uid: 'theirs' };
    const planned = plan(withDeployment(foreign), INSTALL, NOW);
    expect(planned.children).toBeUndefined();
    expect(planned.refusal).toMatchObject({ reason: 'NameConflict', message: expect.stringMatching(/infer-chat/) });
    expect(planned.lookAgainMs).toBe(30_000);
  });

  test('the child of a deleted resource of the same name is waited for, not taken over', () => {
    const planned = plan(withDeployment(live(1, ['infer'], 'uid-of-predecessor')), INSTALL, NOW);
    expect(planned).toEqual({ waitsForDeletion: true });
  });

  test('our own child that is being deleted is waited for', () => {
    const going = live(1, ['infer']);
    going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(plan(withDeployment(going), INSTALL, NOW)).toEqual({ waitsForDeletion: true });
  });

  test('with a revision the pod template is its own, and everything around it is as it would be made now', () => {
    const first = plan(observation(), INSTALL, NOW);
    const revisions = first.template ? [first.template.revision] : [];
    const newer = { ...INSTALL, image: 'registry.example/infer:newer', hubEndpoint: 'http://hub.example:8080' };
    const planned = plan(observation({ revisions }), newer, NOW);
    expect(planned.children?.deployment).toEqual(first.children?.deployment);
    expect(JSON.stringify(planned.children?.networkPolicy)).toContain('8080');
    expect(planned.template?.update?.reasons).toEqual(['InferVersion', 'InstallSettings']);
  });

  describe('where the model is looked up', () => {
    const looking = { ...INSTALL, preflight: true };
    const model = { specHash: modelHash(observation().resource), commit: 'f'.repeat(40) };

    /** What is seen once the plan for a model that is known was carried out. */
    function carriedOut(): Observation {
      const before = observation({ resource: { ...observation().resource, status: { model } } });
      const { children, template } = plan(before, looking, NOW);
      if (!children?.deployment || !template) throw new Error('nothing was planned');
      return {
        ...before,
        revisions: [template.revision],
        children: { ...before.children, deployment: children.deployment },
      };
    }

    test('nothing of a new one is made before the answer', () => {
      const planned = plan(observation(), looking, NOW);
      expect(planned.held?.reason).toBe('Resolving');
      expect(planned.children?.deployment).toBeUndefined();
      expect(planned.jobs?.wanted).toHaveLength(1);
    });

    test('what runs goes on where the status has lost the facts, whatever the hub says, and is not called newer', () => {
      const seen = carriedOut();
      const planned = plan({ ...seen, resource: observation().resource }, looking, NOW);
      expect(planned.held).toBeUndefined();
      expect(planned.jobs?.wanted).toHaveLength(1);
      expect(planned.template?.update).toBeUndefined();
      expect(planned.children?.deployment?.spec.template).toEqual(seen.children.deployment?.spec.template);
    });

    test('a cache that a profile gets under Auto is filled beside what runs', () => {
      const seen = carriedOut();
      const claim = { size: '100Gi' };
      const profile = hardwareProfile({ rollout: 'Auto', modelCache: { type: 'PersistentVolumeClaim', claim } });
      const deployment = seen.children.deployment && {
        ...seen.children.deployment,
        metadata: { ...seen.children.deployment.metadata, generation: 1 },
        spec: { ...seen.children.deployment.spec, replicas: 1 },
        status: {
          observedGeneration: 1,
          replicas: 1,
          updatedReplicas: 1,
          availableReplicas: 1,
          conditions: [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }],
        },
      };
      const planned = plan({ ...seen, profile, children: { ...seen.children, deployment } }, looking, NOW);
      expect(planned.held).toBeUndefined();
      expect(planned.children?.cacheClaim).toBeDefined();
      expect(planned.template?.standing).toBe('holds');
      expect(planned.children?.deployment?.spec.template).toEqual(deployment?.spec.template);
    });

    test('what an Infer of before runs is taken over as it is, also where its model would be refused now', () => {
      const conditions = [
        { type: 'Accepted', status: 'True' as const, reason: 'Valid', message: '', lastTransitionTime: '' },
      ];
      const former = plan(observation(), INSTALL, NOW).children?.deployment;
      const deployment = former && {
        ...former,
        metadata: { ...former.metadata, annotations: {}, managedFields: [OWNS_TEMPLATE] },
      };
      const status = { observedGeneration: 1, conditions };
      const resource = { ...observation().resource, status };
      const seen = observation({ resource, children: { ...observation().children, deployment } });
      const planned = plan(seen, looking, NOW);
      expect(planned.held).toBeUndefined();
      expect(planned.children?.deployment?.spec.template).toEqual(former?.spec.template);
      // With a change that it had not seen, it is not what the user asks for.
      const edited = { ...resource, metadata: { ...resource.metadata, generation: 2 } };
      expect(plan({ ...seen, resource: edited }, looking, NOW).held?.reason).toBe('Resolving');
    });
  });
});
