/** Pure: what was observed → the children to have, or why the spec is refused. */
import type { HardwareProfile } from '../api/generated/hardware-profile.ts';
import type {
  Deployment,
  Job,
  NetworkPolicy,
  PersistentVolumeClaim,
  PodTemplate,
  PodDisruptionBudget,
  Service,
} from '../api/kubernetes.ts';
import { RECONCILER_MANAGER } from '../api/labels.ts';
import { canonicalJson } from '../kube/hash.ts';
import { ownersOf } from '../kube/managed-fields.ts';
import type { Problem } from './diagnose/context.ts';
import { replicaContext } from './diagnose/replica-context.ts';
import type { Observation } from './gather.ts';
import { notShareable, planCache, type CachePlan } from './model-cache/plan.ts';
import { modelMisfit, resolveModel, type ModelResolution } from './preflight/resolve.ts';
import { aliasRefusal, conflictMessage, ownershipOf, profileRefusal, type Refusal } from './refusals.ts';
import { planRollout, type Rollout } from './rollout.ts';
import { buildDeployment, type InstallSettings } from './resources/deployment.ts';
import { buildDisruptionBudget } from './resources/disruption-budget.ts';
import { buildNetworkPolicy } from './resources/network-policy.ts';
import { buildService } from './resources/service.ts';
import { hasFailed } from './templates/failing.ts';
import { planTemplate, type TemplatePlan } from './templates/plan-template.ts';
import { runningTemplate, withRevision } from './templates/revisions.ts';
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
  // What runs goes on without an answer: the hub may be away, or asked for the first time of what has long been served.
  const running = runningTemplate(observation.resource, observation.revisions, observation.children.deployment);
  return model.problem && running === undefined
    ? planLookUp(observation, settings, model, model.problem)
    : planReplicas({ observation, profile, settings, model, running, now, turnIsFree });
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
  /** The template that runs, where the spec asks for it. */
  running: PodTemplate | undefined;
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
  const built = render(input, strategy);
  const choice = chosenTemplate(input, built);
  if (choice.refusal) return { ...refused(choice.refusal), model };
  const { template, cache, held } = withCache(input, built, choice);
  const { misfit } = choice;
  const planned = {
    waitsForDeletion: false,
    model: misfit ? { ...model, verdict: { status: 'False' as const, ...misfit } } : model,
    template,
    jobs: {
      wanted: [model.job, cache?.job].filter((job) => job !== undefined),
      obsolete: [...model.obsolete, ...(cache?.obsolete ?? [])],
    },
  };
  const others = { ...shared(resource, settings), ...(cache?.claim && { cacheClaim: cache.claim }) };
  if (held) return { ...planned, ...lookAgain(cache?.lookAgainMs), held, mayScaleDown: true, children: others };
  const deployment = withRevision(built, template.revision);
  return { ...planned, ...lookAgain(lookAgainMs ?? model.lookAgainMs), children: { ...others, deployment } };
}

/** The template to run, with what is to be done for its cache, and what it waits for. */
function withCache(
  input: ReplicasInput,
  built: Deployment,
  { template, runs, misfit }: Choice,
): { template: TemplatePlan; cache?: CachePlan; held?: Problem } {
  if (misfit) return { template, held: misfit };
  const { observation, profile, running, settings, now } = input;
  const cache = planCache(observation, profile, template.revision.data.template, settings, now);
  // It is filled again, where its Job was deleted, beside what runs; a claim that no pod holds may be lost with it.
  if (cache.problem === undefined || (runs && observation.pods.length > 0)) return { template, cache };
  if (runs || running === undefined) return { template, cache, held: cache.problem };
  // What nobody asked for is brought beside what runs, too.
  return { template: { ...templateOf(input, built, false), standing: template.standing }, cache };
}

/** What would be made now; without facts nothing newer can be. */
function render(
  { observation, profile, settings, model, running }: ReplicasInput,
  strategy: Rollout['strategy'],
): Deployment {
  const { resource, catalogueEngine, children } = observation;
  const built = buildDeployment({
    resource,
    profile: profile.spec,
    catalogueEngine,
    replicas: replicasToSend(children.deployment),
    strategy,
    known: model.known,
    install: settings,
  });
  return model.problem && running ? { ...built, spec: { ...built.spec, template: running } } : built;
}

interface Choice {
  template: TemplatePlan;
  /** The Deployment has it already. */
  runs: boolean;
  refusal?: Refusal;
  misfit?: Problem;
}

/** A template that nobody asked for and that cannot be had is not taken: what runs goes on. */
function chosenTemplate(input: ReplicasInput, built: Deployment): Choice {
  const first = judged(input, templateOf(input, built, true));
  return (first.refusal ?? first.misfit) ? judged(input, templateOf(input, built, false)) : first;
}

function judged({ observation, profile, model, running }: ReplicasInput, template: TemplatePlan): Choice {
  // What runs already is not judged again, by an edited profile or a newer Infer.
  const runs = running !== undefined && canonicalJson(template.revision.data.template) === canonicalJson(running);
  const message = runs ? undefined : notShareable(observation, profile, template.revision.data.template);
  if (message !== undefined) return { template, runs, refusal: { reason: 'CacheNotShareable', message } };
  // Nor is one that was judged when it was made, and comes back.
  const isKept = observation.revisions.some(({ metadata }) => metadata.name === template.revision.metadata.name);
  const misfit = runs || isKept ? undefined : modelMisfit(observation, profile, model.known);
  return { template, runs, ...(misfit && { misfit }) };
}

/** `unasked`: what is newer may be taken without a change of the spec. */
function templateOf(
  { observation, profile, settings, model, turnIsFree }: ReplicasInput,
  built: Deployment,
  unasked: boolean,
): TemplatePlan {
  return planTemplate({
    resource: observation.resource,
    rendered: built.spec.template,
    sources: sourcesOf(profile.spec, observation.catalogueEngine, settings),
    commit: model.known?.commit,
    revisions: observation.revisions,
    deployment: observation.children.deployment,
    failed: unasked && hasFailed(observation.children.deployment, observation.pods, replicaContext(observation)),
    auto: unasked && profile.spec.rollout === 'Auto',
    turnIsFree,
  });
}

function lookAgain(lookAgainMs: number | undefined): Pick<Plan, 'lookAgainMs'> {
  return lookAgainMs === undefined ? {} : { lookAgainMs };
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
