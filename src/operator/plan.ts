/** Pure: what was observed → the children to have, or why the spec is refused. */
import type { HardwareProfile } from '../api/generated/hardware-profile.ts';
import type {
  Deployment,
  Job,
  NetworkPolicy,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  Service,
} from '../api/kubernetes.ts';
import { RECONCILER_MANAGER, REVISION_ANNOTATION } from '../api/labels.ts';
import { ownersOf } from '../kube/managed-fields.ts';
import type { Problem } from './diagnose/context.ts';
import { replicaContext } from './diagnose/replica-context.ts';
import type { Observation } from './gather.ts';
import { notShareable, planCache } from './model-cache/plan.ts';
import { modelMisfit, resolveModel, type ModelResolution } from './preflight/resolve.ts';
import { aliasRefusal, conflictMessage, ownershipOf, profileRefusal, type Refusal } from './refusals.ts';
import { planRollout } from './rollout.ts';
import { buildDeployment, type InstallSettings } from './resources/deployment.ts';
import { buildDisruptionBudget } from './resources/disruption-budget.ts';
import { buildNetworkPolicy } from './resources/network-policy.ts';
import { buildService } from './resources/service.ts';
import { hasFailed } from './templates/failing.ts';
import { planTemplate, type TemplatePlan } from './templates/plan-template.ts';
import { withRevision } from './templates/revisions.ts';
import { sourcesOf } from './templates/sources.ts';

export interface Plan {
  /** Why no child may be changed; those that exist go on serving, and may still be scaled down. */
  refusal?: Refusal;
  /** A child of a deleted resource of the same name is still going: wait until Kubernetes has deleted it. */
  waitsForDeletion: boolean;
  /** After this long something that was waited for is due: room for a rollout, or a Job's answer. */
  lookAgainMs?: number;
  /** The live Deployment stays as it is, but is ours. */
  mayScaleDown?: boolean;
  /** What is known of the model; undefined where the spec is refused before that. */
  model?: ModelResolution;
  children?: {
    service: Service;
    networkPolicy: NetworkPolicy;
    disruptionBudget: PodDisruptionBudget;
    /** Where the profile has a claim as its model cache. */
    cacheClaim?: PersistentVolumeClaim;
    /** Absent while no replica of the spec may be started. */
    deployment?: Deployment;
  };
  /** Jobs to have, and those that nobody waits for any more. */
  jobs?: { wanted: Job[]; obsolete: Job[] };
  /** What keeps an accepted spec from being carried out: its model is not known, not fit, or not there yet. */
  held?: Problem;
  /** Where the Deployment's pod template is kept; there unless no replica may be started. */
  template?: TemplatePlan;
}

/** Objects without our labels are not watched: whether one that is in the way has gone is looked up. */
const FOREIGN_LOOK_AGAIN_MS = 30_000;
/** Of a profile that does not say; the CRD names it, too. */
const GPU_WAIT_SECONDS = 30;

export interface PlanSettings extends InstallSettings {
  /** Whether models are looked up before a GPU is reserved. */
  preflight: boolean;
  /** Infer's own namespace, where profiles and gateways are. */
  namespace: string;
}

/**
 * Returns what to do for `observation` at `now`. `turnIsFree`: no other deployment of the profile is taking a newer pod
 * template by itself.
 */
export function plan(observation: Observation, settings: PlanSettings, now: Date, turnIsFree = true): Plan {
  const { profile } = observation;
  const ownership = ownershipOf(observation);
  if (ownership.foreign) {
    return {
      waitsForDeletion: false,
      lookAgainMs: FOREIGN_LOOK_AGAIN_MS,
      refusal: { reason: 'NameConflict', message: conflictMessage(ownership.foreign) },
    };
  }
  if (ownership.going) return { waitsForDeletion: true };
  const refusal = aliasRefusal(observation) ?? profileRefusal(observation, settings.namespace);
  if (refusal || profile === undefined) return refused(refusal);
  const model = resolveModel(observation, profile, settings, now);
  return model.problem
    ? planLookUp(observation, settings, model, model.problem)
    : planReplicas({ observation, profile, settings, model, now, turnIsFree });
}

/** The children stay as they are, but are ours. */
function refused(refusal: Refusal | undefined): Plan {
  return { waitsForDeletion: false, mayScaleDown: true, ...(refusal && { refusal }) };
}

/** What a deployment has whatever its replicas are. */
function shared(
  resource: Observation['resource'],
  settings: PlanSettings,
): Omit<NonNullable<Plan['children']>, 'deployment'> {
  return {
    service: buildService(resource),
    networkPolicy: buildNetworkPolicy(resource, settings),
    disruptionBudget: buildDisruptionBudget(resource),
  };
}

/** The model is not known yet, or cannot be: a Job looks it up, or tries again. */
function planLookUp({ resource }: Observation, settings: PlanSettings, model: ModelResolution, held: Problem): Plan {
  const { job, lookAgainMs, obsolete } = model;
  return {
    waitsForDeletion: false,
    mayScaleDown: true,
    ...lookAgain(lookAgainMs),
    model,
    held,
    jobs: { wanted: job === undefined ? [] : [job], obsolete },
    children: shared(resource, settings),
  };
}

interface ReplicasInput {
  observation: Observation;
  profile: HardwareProfile;
  settings: PlanSettings;
  model: ModelResolution;
  now: Date;
  turnIsFree: boolean;
}

function planReplicas(input: ReplicasInput): Plan {
  const { observation, profile, settings, model, now } = input;
  const { resource, children, pods } = observation;
  const { strategy, lookAgainMs } = planRollout({
    deployment: children.deployment,
    pods,
    gpuWaitSeconds: profile.spec.gpuWaitSeconds ?? GPU_WAIT_SECONDS,
    now,
  });
  const built = buildDeployment({
    resource,
    profile: profile.spec,
    catalogueEngine: observation.catalogueEngine,
    replicas: replicasToSend(children.deployment),
    strategy,
    known: model.known,
    install: settings,
  });
  const template = templateOf(input, built);
  const wanted = template.revision.data.template;
  const message = notShareable(resource, profile, wanted);
  if (message !== undefined) return refused({ reason: 'CacheNotShareable', message });
  // What runs already is not judged again, by an edited profile or a newer Infer.
  const misfit = runs(children.deployment, template) ? undefined : modelMisfit(observation, profile, model.known);
  const cache = misfit ? undefined : planCache(observation, profile, wanted, settings, now);
  const planned = {
    waitsForDeletion: false,
    model: misfit ? { ...model, verdict: { status: 'False' as const, ...misfit } } : model,
    template,
    jobs: { wanted: cache ? [cache.job] : [], obsolete: [...model.obsolete, ...(cache?.obsolete ?? [])] },
  };
  const others = { ...shared(resource, settings), ...(cache?.claim && { cacheClaim: cache.claim }) };
  const held = misfit ?? cache?.problem;
  if (held) return { ...planned, ...lookAgain(cache?.lookAgainMs), held, mayScaleDown: true, children: others };
  const deployment = withRevision(built, template.revision);
  return { ...planned, ...lookAgain(lookAgainMs), children: { ...others, deployment } };
}

function templateOf(
  { observation, profile, settings, model, turnIsFree }: ReplicasInput,
  built: Deployment,
): TemplatePlan {
  return planTemplate({
    resource: observation.resource,
    rendered: built.spec.template,
    sources: sourcesOf(profile.spec, observation.catalogueEngine, settings),
    commit: model.known?.commit,
    revisions: observation.revisions,
    deployment: observation.children.deployment,
    failed: hasFailed(observation.children.deployment, observation.pods, replicaContext(observation)),
    auto: profile.spec.rollout === 'Auto',
    turnIsFree,
  });
}

function lookAgain(lookAgainMs: number | undefined): Pick<Plan, 'lookAgainMs'> {
  return lookAgainMs === undefined ? {} : { lookAgainMs };
}

function runs(deployment: Deployment | undefined, { revision }: TemplatePlan): boolean {
  return deployment?.metadata.annotations?.[REVISION_ANNOTATION] === revision.metadata.name;
}

/**
 * The hand-over of `replicas`: created with 0, the live value sent until another manager owns the field, then left
 * out. (Dropping a field that we alone own would reset it to the API's default of 1.)
 */
function replicasToSend(live: Deployment | undefined): number | undefined {
  if (live === undefined) return 0;
  const others = ownersOf(live, ['spec', 'replicas']).filter((manager) => manager !== RECONCILER_MANAGER);
  return others.length > 0 ? undefined : (live.spec.replicas ?? 0);
}
