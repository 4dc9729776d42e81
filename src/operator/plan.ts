/** Pure: what was observed → the children to have, or why the spec is refused. */
import type { RefusalReason } from '../api/conditions.ts';
import { effectiveSpec } from '../api/defaults.ts';
import type {
  Deployment,
  Job,
  NetworkPolicy,
  PersistentVolumeClaim,
  PodDisruptionBudget,
  Service,
} from '../api/kubernetes.ts';
import { DEPLOYMENT_UID_LABEL, RECONCILER_MANAGER } from '../api/labels.ts';
import { ownersOf } from '../kube/managed-fields.ts';
import type { KubeObject } from '../kube/types.ts';
import type { Observation } from './gather.ts';
import { notShareable, planCache } from './model-cache/plan.ts';
import { resolveModel, type ModelResolution } from './preflight/resolve.ts';
import { planRollout } from './rollout.ts';
import { buildDeployment, type InstallSettings } from './resources/deployment.ts';
import { buildDisruptionBudget } from './resources/disruption-budget.ts';
import { buildNetworkPolicy } from './resources/network-policy.ts';
import { buildService } from './resources/service.ts';
import type { Problem } from './verdicts.ts';

export interface Plan {
  /** Why no child may be changed; those that exist go on serving, and may still be scaled down. */
  refusal?: { reason: RefusalReason; message: string };
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

/** Returns what to do for `observation` at `now`. */
export function plan(observation: Observation, settings: PlanSettings, now: Date): Plan {
  const { resource, profile, catalogueEngine, children, pods } = observation;
  const ownership = ownershipOf(observation);
  if (ownership.foreign) {
    return {
      waitsForDeletion: false,
      lookAgainMs: FOREIGN_LOOK_AGAIN_MS,
      refusal: { reason: 'NameConflict', message: conflictMessage(ownership.foreign) },
    };
  }
  if (ownership.going) return { waitsForDeletion: true };
  const refusal = aliasRefusal(observation) ?? profileRefusal(observation, settings);
  if (refusal || profile === undefined) {
    return { waitsForDeletion: false, mayScaleDown: true, ...(refusal && { refusal }) };
  }
  const model = resolveModel(observation, profile, settings, now);
  const cache = model.problem ? undefined : planCache(observation, profile, model.known, settings);
  const held = model.problem ?? cache?.problem;
  const planned = {
    waitsForDeletion: false,
    model,
    jobs: {
      wanted: [model.job, cache?.job].filter((job) => job !== undefined),
      obsolete: [...model.obsolete, ...(cache?.obsolete ?? [])],
    },
  };
  const unheld = {
    service: buildService(resource),
    networkPolicy: buildNetworkPolicy(resource, settings),
    disruptionBudget: buildDisruptionBudget(resource),
    ...(cache && { cacheClaim: cache.claim }),
  };
  if (held) return { ...planned, ...lookAgain(model.lookAgainMs), held, mayScaleDown: true, children: unheld };
  const rollout = planRollout({
    deployment: children.deployment,
    pods,
    gpuWaitSeconds: profile.spec.gpuWaitSeconds ?? GPU_WAIT_SECONDS,
    now,
  });
  const deployment = buildDeployment({
    resource,
    profile: profile.spec,
    catalogueEngine,
    replicas: replicasToSend(children.deployment),
    strategy: rollout.strategy,
    known: model.known,
    cached: cache !== undefined,
    install: settings,
  });
  return { ...planned, ...lookAgain(rollout.lookAgainMs), children: { ...unheld, deployment } };
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

/** Gateways, too, send what asks for the alias to its owner. */
function aliasRefusal({ lostAlias }: Observation): Plan['refusal'] {
  if (lostAlias === undefined) return undefined;
  const { alias, owner } = lostAlias;
  const { name } = owner.metadata;
  const message =
    alias === name
      ? `The alias ${alias} is the name of a deployment in this namespace. Choose another alias; until then nothing of this deployment is changed.`
      : `The alias ${alias} belongs to deployment ${name}, which is older. Remove it here or there; until then nothing of this deployment is changed.`;
  return { reason: 'NameConflict', message };
}

function profileRefusal({ resource, profile }: Observation, settings: PlanSettings): Plan['refusal'] {
  const { namespace } = resource.metadata;
  if (profile === undefined) {
    const name = effectiveSpec(resource.spec).hardwareProfile;
    return {
      reason: 'UnknownHardwareProfile',
      message: `There is no HardwareProfile ${name} in namespace ${settings.namespace}. List those there are: kubectl -n ${settings.namespace} get hardwareprofiles`,
    };
  }
  const allowed = profile.spec.allowedNamespaces;
  if (allowed === undefined || allowed.includes(namespace ?? '')) {
    const message = notShareable(resource, profile);
    return message === undefined ? undefined : { reason: 'CacheNotShareable', message };
  }
  return {
    reason: 'ProfileNotAllowed',
    message: `Profile ${profile.metadata.name} may not be used in namespace ${namespace}. Choose another profile, or ask the platform team to add the namespace to its allowedNamespaces.`,
  };
}

function conflictMessage(foreign: KubeObject): string {
  return `${foreign.kind ?? 'An object'} ${foreign.metadata.name} exists and does not belong to this deployment. Delete or rename it, or rename the deployment.`;
}

/** Children are matched by the owner's UID, never by name: a re-created resource must not take over its predecessor's. */
function ownershipOf({ resource, children }: Observation): { foreign?: KubeObject; going: boolean } {
  let going = false;
  const named: [string, KubeObject | undefined][] = [
    ['Deployment', children.deployment],
    ['Service', children.service],
    ['PodDisruptionBudget', children.disruptionBudget],
    ['NetworkPolicy', children.networkPolicy],
    ['PersistentVolumeClaim', children.cacheClaim],
  ];
  for (const [kind, child] of named) {
    if (child === undefined) continue;
    const owner = child.metadata.ownerReferences?.find((reference) => reference.controller);
    // Someone stripped the owner reference: the label still says whose it is, and the next apply restores it.
    if (owner === undefined && child.metadata.labels?.[DEPLOYMENT_UID_LABEL] === resource.metadata.uid) continue;
    const predecessor = owner?.kind === resource.kind && owner?.name === resource.metadata.name;
    if (owner?.uid !== resource.metadata.uid && !predecessor) return { foreign: { ...child, kind }, going };
    if (owner?.uid !== resource.metadata.uid || child.metadata.deletionTimestamp !== undefined) going = true;
  }
  return { going };
}
