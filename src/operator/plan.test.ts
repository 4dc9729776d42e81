import { describe, expect, test } from '@jest/globals';
import { hardwareProfile, INSTALL, observation } from '../../test/support/resources.ts';
import type { Deployment } from '../api/kubernetes.ts';
import type { ManagedFieldsEntry } from '../kube/types.ts';
import { plan } from './plan.ts';

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
});
