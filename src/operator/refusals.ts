/** Pure: why a spec is not acted on, and whose the children are. */
import type { RefusalReason } from '../api/conditions.ts';
import { effectiveSpec } from '../api/defaults.ts';
import { DEPLOYMENT_UID_LABEL } from '../api/labels.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import type { KubeObject } from '../kube/types.ts';
import type { Observation } from './gather.ts';

export interface Refusal {
  reason: RefusalReason;
  message: string;
}

/** Returns whether an alias belongs to another deployment: gateways, too, send what asks for it to its owner. */
export function aliasRefusal({ lostAlias }: Observation): Refusal | undefined {
  if (lostAlias === undefined) return undefined;
  const { alias, owner } = lostAlias;
  const { name } = owner.metadata;
  const message =
    alias === name
      ? `The alias ${alias} is the name of a deployment in this namespace. Choose another alias; until then nothing of this deployment is changed.`
      : `The alias ${alias} belongs to deployment ${name}, which is older. Remove it here or there; until then nothing of this deployment is changed.`;
  return { reason: 'NameConflict', message };
}

/** Returns why the profile cannot be had; undefined where it can. */
export function profileRefusal({ resource, profile }: Observation, inferNamespace: string): Refusal | undefined {
  const { namespace } = resource.metadata;
  if (profile === undefined) {
    const name = effectiveSpec(resource.spec).hardwareProfile;
    return {
      reason: 'UnknownHardwareProfile',
      message: `There is no HardwareProfile ${name} in namespace ${inferNamespace}. List those there are: kubectl -n ${inferNamespace} get hardwareprofiles`,
    };
  }
  const allowed = profile.spec.allowedNamespaces;
  if (allowed === undefined || allowed.includes(namespace ?? '')) return undefined;
  return {
    reason: 'ProfileNotAllowed',
    message: `Profile ${profile.metadata.name} may not be used in namespace ${namespace}. Choose another profile, or ask the platform team to add the namespace to its allowedNamespaces.`,
  };
}

/** Returns what to do about an object in the way of a child. */
export function conflictMessage(foreign: KubeObject): string {
  return `${foreign.kind ?? 'An object'} ${foreign.metadata.name} exists and does not belong to this deployment. Delete or rename it, or rename the deployment.`;
}

/**
 * Returns whether `child` is of this very resource, and not of another by that name. Where somebody stripped the owner
 * reference the label still says whose it is, and the next apply restores it.
 */
export function belongsTo({ metadata }: KubeObject, resource: InferenceDeployment): boolean {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller);
  return (owner ? owner.uid : metadata.labels?.[DEPLOYMENT_UID_LABEL]) === resource.metadata.uid;
}

/**
 * Returns the first child that is someone else's, and whether one is `going`: a predecessor's, or being deleted. Children
 * are matched by the owner's UID, never by name: a re-created resource must not take over its predecessor's.
 */
export function ownershipOf({ resource, children }: Observation): { foreign?: KubeObject; going: boolean } {
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
    if (owner === undefined && belongsTo(child, resource)) continue;
    const predecessor = owner?.kind === resource.kind && owner?.name === resource.metadata.name;
    if (owner?.uid !== resource.metadata.uid && !predecessor) return { foreign: { ...child, kind }, going };
    going ||= owner?.uid !== resource.metadata.uid || isWaitedFor(kind, child);
  }
  return { going };
}

/** Pods hold a claim that somebody deleted: to wait for it would be to wait for oneself. */
function isWaitedFor(kind: string, { metadata }: KubeObject): boolean {
  return metadata.deletionTimestamp !== undefined && kind !== 'PersistentVolumeClaim';
}
