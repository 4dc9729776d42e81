/** Pure: the ControllerRevisions in which the pod templates of a deployment are kept. */
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { hasSettled, type ControllerRevision, type Deployment, type PodTemplate } from '../../api/kubernetes.ts';
import {
  DEPLOYMENT_UID_LABEL,
  RECONCILER_MANAGER,
  REVISION_ANNOTATION,
  TAKEN_BY_ANNOTATION,
} from '../../api/labels.ts';
import { controllerRevisions } from '../../api/resources.ts';
import { contentHash } from '../../kube/hash.ts';
import { ownedPart } from '../../kube/managed-fields.ts';
import { apiVersionOf } from '../../kube/types.ts';
import { childMetadata } from '../resources/metadata.ts';
import { revisionName, revisionPrefix } from '../resources/names.ts';
import type { Sources } from './sources.ts';
import { specKey } from './spec-key.ts';

/** What a revision holds; Kubernetes lets nobody change it. */
export interface Frozen {
  /** What the user asked for, by spec-key.ts. */
  key: string;
  /** The commit that the template names; absent where each replica resolves it. */
  commit?: string;
  template: PodTemplate;
  /** Absent in a template that was read back from the Deployment. */
  sources?: Sources;
}

export interface TemplateRevision extends ControllerRevision {
  data: Frozen;
}

/** With the one that runs. An edit and its rollback, and that of the edit before, find their templates again. */
const REVISIONS_KEPT = 4;
const AUTO = 'Auto';

/** Returns the revisions of this very resource that can be read, the newest first. */
export function ownRevisions(
  { metadata: { uid } }: InferenceDeployment,
  revisions: readonly ControllerRevision[],
): TemplateRevision[] {
  return (revisions as readonly TemplateRevision[])
    .filter(({ data, metadata }) => {
      const owner = metadata.ownerReferences?.find(({ controller }) => controller);
      // Someone stripped the owner reference: the label still says whose it is, and the next apply restores it.
      const owned = owner === undefined ? metadata.labels?.[DEPLOYMENT_UID_LABEL] === uid : owner.uid === uid;
      return owned && isReadable(data) && metadata.deletionTimestamp === undefined;
    })
    .toSorted((a, b) => b.revision - a.revision);
}

function isReadable(data: Partial<Frozen> | undefined): boolean {
  return (
    typeof data?.key === 'string' &&
    Array.isArray((data.template as Partial<PodTemplate> | undefined)?.spec?.containers)
  );
}

/**
 * Returns the revision that makes `data` the newest of `own` (by ownRevisions), and those that are too many beside it.
 * `takenByItself`: nobody asked for it, and it has not settled yet.
 */
export function newestRevision(
  resource: InferenceDeployment,
  own: readonly TemplateRevision[],
  data: Frozen,
  takenByItself = false,
): { revision: TemplateRevision; obsolete: TemplateRevision[] } {
  const name = nameOf(resource, data);
  const [newest] = own;
  const isNewest = newest?.metadata.name === name;
  const same = own.find(({ metadata }) => metadata.name === name);
  return {
    revision: {
      apiVersion: apiVersionOf(controllerRevisions),
      kind: controllerRevisions.kind,
      metadata: {
        ...childMetadata(resource),
        name,
        ...(takenByItself && { annotations: { [TAKEN_BY_ANNOTATION]: AUTO } }),
      },
      revision: isNewest ? newest.revision : (newest?.revision ?? 0) + 1,
      // Kubernetes lets nobody change it, and the sources of an equal template may have been others.
      data: same?.data ?? data,
    },
    obsolete: own.filter(({ metadata }) => metadata.name !== name).slice(REVISIONS_KEPT - 1),
  };
}

/** Returns whether the deployment whose newest revision this is took it by itself, and has not settled on it yet. */
export function holdsTurn(newest: TemplateRevision, deployment: Deployment | undefined): boolean {
  return isTakenByItself(newest) && !hasSettledOn(deployment, newest.metadata.name);
}

/** Returns whether the Deployment has settled on the revision of this name. */
export function hasSettledOn(deployment: Deployment | undefined, name: string): boolean {
  return deployment !== undefined && isRevisionOf(deployment, name) && hasSettled(deployment);
}

/** Returns whether the Deployment runs the revision of this name, or rolls it out. */
export function isRevisionOf(deployment: Deployment | undefined, name: string): boolean {
  return deployment?.metadata.annotations?.[REVISION_ANNOTATION] === name;
}

/** Returns the Deployment `built` with the template of `revision`. */
export function withRevision(built: Deployment, { data, metadata }: TemplateRevision): Deployment {
  const annotations = { ...built.metadata.annotations, [REVISION_ANNOTATION]: metadata.name };
  return {
    ...built,
    metadata: { ...built.metadata, annotations },
    spec: { ...built.spec, template: data.template },
  };
}

/**
 * Returns the template that `deployment` was given for the key of `fresh`, where no revision tells it: somebody deleted
 * that, or an Infer that knew none made the Deployment. What we own of the live template is what was applied; a field of
 * it that another manager has taken as well is lost until the next template. Undefined where it was given for another key.
 */
export function readBack(
  resource: InferenceDeployment,
  deployment: Deployment | undefined,
  fresh: Frozen,
): Frozen | undefined {
  if (deployment === undefined) return undefined;
  const applied = deployment.metadata.annotations?.[REVISION_ANNOTATION];
  const isOfKey =
    applied === undefined
      ? isOfFormerInfer(resource)
      : applied.startsWith(revisionPrefix(resource.metadata.name, fresh.key));
  if (!isOfKey) return undefined;
  if (applied === nameOf(resource, fresh)) return fresh;
  const data = { key: fresh.key, template: ownedPart(deployment, RECONCILER_MANAGER, ['spec', 'template']) } as Frozen;
  return isReadable(data) ? data : undefined;
}

/**
 * Returns whether the status was written by an Infer that knew no revisions, and had carried out the spec as it is: its
 * Deployment is then what the user asked for. A later status tells nothing of the kind, since it is also written where the
 * spec is held back.
 */
function isOfFormerInfer({ metadata: { generation }, status }: InferenceDeployment): boolean {
  const { conditions = [], observedGeneration } = status ?? {};
  const isFormer = conditions.every(({ type }) => type !== 'ModelResolved');
  const isAccepted = conditions.some(({ type, status: is }) => type === 'Accepted' && is === 'True');
  return generation !== undefined && observedGeneration === generation && isFormer && isAccepted;
}

/** Returns the name of the revision that holds `data`. */
export function nameOf({ metadata: { name } }: InferenceDeployment, { key, commit, template }: Frozen): string {
  return revisionName(name, key, contentHash([commit ?? null, template]).slice(0, 10));
}

function isTakenByItself({ metadata }: TemplateRevision): boolean {
  return metadata.annotations?.[TAKEN_BY_ANNOTATION] === AUTO;
}

/**
 * Returns the template that `deployment` runs or rolls out, where the spec of `resource` still asks for it; undefined for
 * another, or where nothing tells.
 */
export function runningTemplate(
  resource: InferenceDeployment,
  revisions: readonly ControllerRevision[],
  deployment: Deployment | undefined,
): PodTemplate | undefined {
  const key = specKey(resource.spec);
  const own = ownRevisions(resource, revisions);
  const running = own.find(({ metadata }) => isRevisionOf(deployment, metadata.name));
  if (running) return running.data.key === key ? running.data.template : undefined;
  return deployment && readBack(resource, deployment, { key, template: deployment.spec.template })?.template;
}
