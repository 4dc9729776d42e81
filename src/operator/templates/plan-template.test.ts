import { beforeEach, describe, expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, INSTALL } from '../../../test/support/resources.ts';
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import type { ControllerRevision, Deployment, PodTemplate } from '../../api/kubernetes.ts';
import { RECONCILER_MANAGER } from '../../api/labels.ts';
import type { FieldsV1, OwnerReference } from '../../kube/types.ts';
import { buildDeployment, type InstallSettings } from '../resources/deployment.ts';
import { SURGE } from '../rollout.ts';
import { planTemplate, type TemplatePlan } from './plan-template.ts';
import { withRevision } from './revisions.ts';
import { sourcesOf } from './sources.ts';

interface Inputs {
  spec?: Partial<InferenceDeploymentSpec>;
  profile?: Partial<HardwareProfileSpec>;
  catalogueEngine?: { maxModelLen: number };
  install?: Partial<InstallSettings>;
  commit?: string;
  turnIsFree?: boolean;
  failed?: boolean;
}

/** A cluster of one deployment: what the passes write is what the next one sees. */
class World {
  revisions: ControllerRevision[] = [];
  deployment: Deployment | undefined;
  observedGeneration: number | undefined;
  /** Those that are True. */
  conditions = ['Accepted'];

  plan(inputs: Inputs): TemplatePlan {
    const {
      spec = {},
      profile = {},
      catalogueEngine,
      install = {},
      commit,
      turnIsFree = true,
      failed = false,
    } = inputs;
    const { built, resource, profileSpec, installed } = this.#build(spec, profile, catalogueEngine, install);
    return planTemplate({
      resource,
      rendered: built.spec.template,
      sources: sourcesOf(profileSpec, catalogueEngine, installed),
      commit,
      revisions: this.revisions,
      deployment: this.deployment,
      failed,
      auto: profileSpec.rollout === 'Auto',
      turnIsFree,
    });
  }

  /** One pass: plans, and writes. What rolls out then serves, unless `settles` says otherwise. */
  pass(inputs: Inputs = {}, settles = true): TemplatePlan {
    const planned = this.plan(inputs);
    this.writeRevision(planned);
    const { built } = this.#build(
      inputs.spec ?? {},
      inputs.profile ?? {},
      inputs.catalogueEngine,
      inputs.install ?? {},
    );
    this.deployment = withRevision(built, planned.revision);
    this.deployment.spec.replicas = 1;
    if (settles) this.settle();
    const gone = new Set(planned.obsolete.map(({ metadata }) => metadata.name));
    this.revisions = this.revisions.filter(({ metadata }) => !gone.has(metadata.name));
    return planned;
  }

  /** What a process that ends right after its first write has done. */
  writeRevision({ revision }: TemplatePlan): void {
    this.revisions = [...this.revisions.filter(({ metadata }) => metadata.name !== revision.metadata.name), revision];
  }

  settle(): void {
    const conditions = [{ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' }];
    if (this.deployment) {
      this.deployment.metadata.generation = 1;
      const counts = { replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
      this.deployment.status = { observedGeneration: 1, ...counts, conditions };
    }
  }

  get template(): PodTemplate | undefined {
    return this.deployment?.spec.template;
  }

  /** As the API server would show it: our manager owns every field of the template. */
  owned(template: FieldsV1 = {}): void {
    if (this.deployment === undefined) return;
    const fieldsV1 = { 'f:spec': { 'f:template': template } };
    this.deployment.metadata.managedFields = [{ manager: RECONCILER_MANAGER, operation: 'Apply', fieldsV1 }];
  }

  #build(
    spec: Partial<InferenceDeploymentSpec>,
    profile: Partial<HardwareProfileSpec>,
    catalogueEngine: { maxModelLen: number } | undefined,
    install: Partial<InstallSettings>,
  ): {
    built: Deployment;
    resource: ReturnType<typeof inferenceDeployment>;
    profileSpec: HardwareProfileSpec;
    installed: InstallSettings;
  } {
    const resource = inferenceDeployment(spec);
    if (this.observedGeneration !== undefined) {
      const condition = { status: 'True' as const, reason: '', message: '', lastTransitionTime: '' };
      const conditions = this.conditions.map((type) => ({ type, ...condition }));
      resource.status = { observedGeneration: this.observedGeneration, conditions };
    }
    const profileSpec = hardwareProfile(profile).spec;
    const installed = { ...INSTALL, ...install };
    const input = { resource, profile: profileSpec, catalogueEngine, replicas: 0, strategy: SURGE, install: installed };
    return { built: buildDeployment(input), resource, profileSpec, installed };
  }
}

const NEWER_PROFILE = { profile: { image: 'registry.example/vllm:v0.33.0' } };
const NEWER_INFER = { install: { image: 'registry.example/infer:0.2.0' } };
const AUTO = { ...NEWER_PROFILE.profile, rollout: 'Auto' as const };
const ENGINE_B = { engine: { maxModelLen: 4096 } };

let world: World;
beforeEach(() => {
  world = new World();
});

function imageOf(template: PodTemplate | undefined): string | undefined {
  return template?.spec.containers[0]?.image;
}

describe('a template that runs', () => {
  test.each<[string, Inputs, string[]]>([
    ['an edited profile', NEWER_PROFILE, ['HardwareProfile']],
    ['a newer Infer', NEWER_INFER, ['InferVersion']],
    ['an edited catalogue', { catalogueEngine: { maxModelLen: 2048 } }, ['CatalogModel']],
    ['another hub', { install: { hubEndpoint: 'https://hub.example' } }, ['InstallSettings']],
    ['a proxy', { install: { httpsProxy: 'http://proxy.example:3128' } }, ['InstallSettings']],
    ['several of them', { ...NEWER_PROFILE, ...NEWER_INFER }, ['HardwareProfile', 'InferVersion']],
  ])('is not changed by %s, which is said', (_sentence, inputs, reasons) => {
    world.pass();
    const before = structuredClone(world.template);
    const planned = world.pass(inputs);
    expect(world.template).toEqual(before);
    expect(planned.update).toEqual({ available: true, reasons });
    expect(world.revisions).toHaveLength(1);
    // Edited back.
    expect(world.pass()).not.toHaveProperty('update');
  });

  test('is not changed by what shapes no pod, and nothing newer is said', () => {
    world.pass();
    const [before, revision] = [structuredClone(world.template), world.plan({}).revision];
    const spec = { minReplicas: 3, maxReplicas: 5, suspend: true, aliases: ['llama'], allowKeysFrom: ['b'] };
    const profile = { price: { currency: 'USD', perGpuHour: '2' }, gpuWaitSeconds: 5 };
    const planned = world.pass({ spec, profile });
    expect(world.template).toEqual(before);
    expect(planned.revision).toEqual(revision);
    expect(planned.update).toBeUndefined();
  });

  test.each<[string, Partial<InferenceDeploymentSpec>]>([
    ['restartedAt', { restartedAt: '2026-01-01T00:00:00Z' }],
    ['a change of the spec', ENGINE_B],
  ])('gives way to everything new with %s', (_sentence, spec) => {
    world.pass();
    world.pass(NEWER_PROFILE);
    const planned = world.pass({ ...NEWER_PROFILE, spec });
    expect(imageOf(world.template)).toBe('registry.example/vllm:v0.33.0');
    expect(planned.update).toBeUndefined();
    expect(planned.revision.revision).toBe(2);
  });

  test('comes back byte by byte with the spec it was made for', () => {
    world.pass();
    const before = JSON.stringify(world.template);
    world.pass({ ...NEWER_PROFILE, spec: ENGINE_B });
    expect(JSON.stringify(world.template)).not.toBe(before);
    const back = world.pass(NEWER_PROFILE);
    expect(JSON.stringify(world.template)).toBe(before);
    expect(back.update).toEqual({ available: true, reasons: ['HardwareProfile'] });
    // As the newest, so that the next changes do not push it out.
    expect(back.revision.revision).toBe(3);
    expect(world.plan(NEWER_PROFILE).revision).toEqual(back.revision);
  });

  test('A, B and C in one rollout end at C', () => {
    world.pass();
    world.pass({ spec: ENGINE_B }, false);
    world.pass({ spec: { engine: { maxModelLen: 1024 } } }, false);
    expect(world.template?.spec.containers[0]?.args).toContain('--max-model-len=1024');
  });

  test('is the same after a process that ended between the two writes, whatever it renders since', () => {
    world.writeRevision(world.plan({}));
    world.pass(NEWER_INFER);
    expect(world.template?.spec.initContainers?.[0]?.image).toBe(INSTALL.image);
    expect(world.revisions).toHaveLength(1);
  });

  test('at most four are kept, the last ones that ran', () => {
    for (const maxModelLen of [1000, 2000, 3000, 4000, 1000, 5000]) world.pass({ spec: { engine: { maxModelLen } } });
    const lengths = world.revisions.map(({ data }) => Number(/max-model-len=(\d+)/.exec(JSON.stringify(data))?.[1]));
    expect(lengths.toSorted((a, b) => a - b)).toEqual([1000, 3000, 4000, 5000]);
  });

  test('of another resource of the same name, or one that is going, is none', () => {
    world.pass();
    const [revision] = world.revisions as [ControllerRevision];
    const [owner] = revision.metadata.ownerReferences as [OwnerReference];
    world.deployment = undefined;
    world.revisions = [
      { ...revision, metadata: { ...revision.metadata, ownerReferences: [{ ...owner, uid: 'other' }] } },
    ];
    expect(imageOf(world.plan(NEWER_PROFILE).revision.data.template)).toBe('registry.example/vllm:v0.33.0');
    world.revisions = [{ ...revision, metadata: { ...revision.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }];
    expect(imageOf(world.plan(NEWER_PROFILE).revision.data.template)).toBe('registry.example/vllm:v0.33.0');
    world.revisions = [{ ...revision, data: { key: 1 } }];
    expect(imageOf(world.plan(NEWER_PROFILE).revision.data.template)).toBe('registry.example/vllm:v0.33.0');
  });

  test('is found without its owner reference, and gets it back', () => {
    world.pass();
    world.revisions = world.revisions.map((one) => ({ ...one, metadata: { ...one.metadata, ownerReferences: [] } }));
    const { revision } = world.plan(NEWER_PROFILE);
    expect(imageOf(revision.data.template)).toBe('registry.example/vllm:v0.32.0');
    expect(revision.metadata.ownerReferences).toHaveLength(1);
  });

  test('goes on whether its commit becomes known or is forgotten; another commit of the same spec is another template', () => {
    world.pass();
    expect(world.pass({ commit: 'c1' }).revision.data.commit).toBeUndefined();
    world.pass({ commit: 'c1', spec: ENGINE_B });
    expect(world.pass({ spec: ENGINE_B }).revision.data.commit).toBe('c1');
    expect(world.pass({ commit: 'c2', spec: ENGINE_B }).revision.data.commit).toBe('c2');
  });
});

describe('a template whose replicas all fail', () => {
  test('gives way to what is newer, and stays where nothing is', () => {
    const world = new World();
    const first = world.pass();
    expect(world.plan({ failed: true }).revision.metadata.name).toBe(first.revision.metadata.name);
    const image = 'registry.example/vllm:v0.33.0';
    const mended = world.plan({ profile: { image }, failed: true });
    expect(mended.revision.data.template.spec.containers[0]?.image).toBe(image);
    expect(mended).toMatchObject({ standing: 'none' });
    expect(mended.update).toBeUndefined();
    expect(world.plan({ profile: { image } }).update?.reasons).toEqual(['HardwareProfile']);
  });

  test('does not keep the one before from coming back as it was', () => {
    const world = new World();
    const before = world.pass();
    const bad = { profile: { image: 'registry.example/vllm:nope' } };
    world.pass({ ...bad, spec: ENGINE_B }, false);
    expect(world.plan({ ...bad, failed: true }).revision.metadata.name).toBe(before.revision.metadata.name);
  });

  test('has the sources of its first time where it comes back, which Kubernetes lets nobody change', () => {
    const world = new World();
    const spec = { model: { claim: { name: 'weights' } } };
    const first = world.pass({ spec });
    world.pass({ ...NEWER_PROFILE, spec, failed: true });
    const again = world.plan({ ...NEWER_INFER, spec, failed: true });
    expect(again.revision.metadata.name).toBe(first.revision.metadata.name);
    expect(again.revision.data).toEqual(first.revision.data);
  });
});

describe('a template whose revision was deleted', () => {
  let deleted: TemplatePlan['revision'];
  beforeEach(() => {
    deleted = world.pass().revision;
    world.revisions = [];
  });

  test('is made again as it was where nothing is newer', () => {
    world.owned();
    const { revision, update } = world.plan({});
    expect(revision).toEqual(deleted);
    expect(update).toBeUndefined();
  });

  test('is read back from the Deployment where something is', () => {
    world.owned();
    const { revision, update } = world.plan(NEWER_PROFILE);
    expect(revision.data.template).toEqual(world.template);
    expect(update).toEqual({ available: true, reasons: ['Unknown'] });
  });

  test('is not taken for that of another spec', () => {
    world.owned();
    const { revision } = world.plan({ ...NEWER_PROFILE, spec: ENGINE_B });
    expect(imageOf(revision.data.template)).toBe('registry.example/vllm:v0.33.0');
  });

  test('of an Infer that kept none is read back where that had seen the spec as it is', () => {
    world.owned();
    delete world.deployment?.metadata.annotations;
    expect(imageOf(world.plan(NEWER_PROFILE).revision.data.template)).toBe('registry.example/vllm:v0.33.0');
    world.observedGeneration = 1;
    expect(imageOf(world.plan(NEWER_PROFILE).revision.data.template)).toBe('registry.example/vllm:v0.32.0');
    // Since then the status may be that of a spec that is held back.
    world.conditions = ['Accepted', 'ModelResolved'];
    expect(imageOf(world.plan(NEWER_PROFILE).revision.data.template)).toBe('registry.example/vllm:v0.33.0');
    world.conditions = [];
    expect(imageOf(world.plan(NEWER_PROFILE).revision.data.template)).toBe('registry.example/vllm:v0.33.0');
  });
});

describe('with `rollout: Auto` of the profile', () => {
  test('what is newer is taken, and the turn is held until it serves', () => {
    world.pass();
    const taken = world.pass({ profile: AUTO }, false);
    expect(imageOf(world.template)).toBe('registry.example/vllm:v0.33.0');
    expect(taken).toMatchObject({ standing: 'holds', revision: { revision: 2 } });
    expect(taken.update).toBeUndefined();
    // Its passes until then keep the mark by which a new leader knows.
    expect(world.pass({ profile: AUTO }, false).standing).toBe('holds');
    expect(world.pass({ profile: AUTO }, false).standing).toBe('holds');
    world.settle();
    expect(world.pass({ profile: AUTO }).standing).toBe('none');
    expect(world.revisions).toHaveLength(2);
  });

  test('the turn of another is waited for', () => {
    world.pass();
    const planned = world.pass({ profile: AUTO, turnIsFree: false });
    expect(imageOf(world.template)).toBe('registry.example/vllm:v0.32.0');
    expect(planned.standing).toBe('waits');
    expect(planned.update?.reasons).toEqual(['HardwareProfile', 'WaitingForTurn']);
  });

  test('a deployment that does not serve takes nothing, and waits for nobody', () => {
    world.pass({}, false);
    const planned = world.pass({ profile: AUTO });
    expect(imageOf(world.template)).toBe('registry.example/vllm:v0.32.0');
    expect(planned).toMatchObject({ standing: 'none', update: { reasons: ['HardwareProfile'] } });
  });

  test('one that does not come to serve takes what mends it, also while another holds a turn', () => {
    world.pass();
    world.pass({ profile: AUTO }, false);
    const mended = world.pass(
      { profile: { ...AUTO, image: 'registry.example/vllm:v0.33.1' }, turnIsFree: false },
      false,
    );
    expect(imageOf(world.template)).toBe('registry.example/vllm:v0.33.1');
    expect(mended.standing).toBe('holds');
  });

  test('a change by its user ends its turn', () => {
    world.pass();
    world.pass({ profile: AUTO }, false);
    expect(world.pass({ profile: AUTO, spec: ENGINE_B }, false).standing).toBe('none');
    // So does the way back to the template it had taken.
    expect(world.pass({ profile: AUTO }, false).standing).toBe('none');
  });

  test('a process that ended between the two writes finds its turn held', () => {
    world.pass();
    world.writeRevision(world.plan({ profile: AUTO }));
    expect(world.plan({ profile: AUTO, turnIsFree: false }).standing).toBe('holds');
  });
});
