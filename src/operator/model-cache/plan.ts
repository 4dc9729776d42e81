/**
 * Pure: a profile with a claim as its model cache → the claim, the Job that fills it, and whether it has done so. Until
 * then no replica of the model starts.
 */
import { effectiveSpec } from '../../api/defaults.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import {
  isFinished,
  isObserved,
  isRollingOut,
  type Deployment,
  type Job,
  type PersistentVolumeClaim,
  type PodTemplate,
} from '../../api/kubernetes.ts';
import { FETCH_COMPONENT } from '../../api/labels.ts';
import type { Problem } from '../diagnose/context.ts';
import { replicaContext } from '../diagnose/replica-context.ts';
import { NO_POD_MS } from '../diagnose/job.ts';
import { steady } from '../diagnose/steady.ts';
import { diagnoseFetch } from '../diagnose/fetch.ts';
import type { Observation } from '../gather.ts';
import type { InstallSettings } from '../resources/deployment.ts';
import { buildCacheClaim, buildFetchJob, cacheClaimOf } from '../resources/model-cache.ts';
import { cacheFolders, filesOf, type ModelFiles } from '../resources/model-files.ts';
import { jobsFor } from '../resources/metadata.ts';

type Profile = NonNullable<Observation['profile']>;

export interface CachePlan {
  /** Absent where the profile gives none any more: then there is one, for the template was made with it. */
  claim?: PersistentVolumeClaim;
  job: Job;
  /** Jobs for other models, to be deleted. */
  obsolete: Job[];
  /** What keeps replicas from being started; absent once the model is there. */
  problem?: Problem;
  /** After this long the Job should have a pod. */
  lookAgainMs?: number;
}

/** Returns the message for a claim that the replicas of `template` could not share; undefined where they can, or share none. */
export function notShareable(
  resource: InferenceDeployment,
  profile: Profile,
  template: PodTemplate,
): string | undefined {
  const claim = filesOf(template) && cacheClaimOf(resource, profile.spec);
  if (claim?.accessMode !== 'ReadWriteOnce' || effectiveSpec(resource.spec).maxReplicas === 1) return undefined;
  if (profile.spec.nodeSelector?.['kubernetes.io/hostname'] !== undefined) return undefined;
  return `The model cache of profile ${profile.metadata.name} can be read on one node only (ReadWriteOnce). Set maxReplicas to 1 or choose another profile; the platform team can give it ReadWriteMany.`;
}

/** Returns what to do for the cache that `template` reads, the one to run; undefined where it reads none. */
export function planCache(
  observation: Observation,
  profile: Profile,
  template: PodTemplate,
  install: InstallSettings,
  now: Date,
): CachePlan | undefined {
  const { resource, children, jobs } = observation;
  const files = filesOf(template);
  if (files === undefined) return undefined;
  const claim = cacheClaimOf(resource, profile.spec);
  const keep = keptFolders(children.deployment, files);
  const job = buildFetchJob({ resource, profile: profile.spec, files, keep, install });
  const live = jobs.find(({ metadata }) => metadata.name === job.metadata.name);
  const obsolete = jobsFor(jobs, FETCH_COMPONENT).filter((other) => other !== live);
  const planned = { ...(claim && { claim: buildCacheClaim(resource, claim) }), job, obsolete };
  if (live && isFinished(live)) return planned;
  const pods = observation.jobPods.filter(({ metadata }) =>
    metadata.ownerReferences?.some(({ uid }) => uid === live?.metadata.uid),
  );
  const problem = diagnoseFetch({ job: live, pods, now }, replicaContext({ resource, profile }));
  const told = steady(problem, resource.status?.conditions);
  return { ...planned, problem: told, ...(pods.length === 0 && { lookAgainMs: NO_POD_MS }) };
}

/** Only while no rollout is under way is it known that replicas read no folders but those of the template. */
function keptFolders(deployment: Deployment | undefined, { model, adapters }: ModelFiles): string[] | undefined {
  const wanted = [model, ...adapters].map(({ directory }) => directory);
  if (deployment === undefined) return cacheFolders(wanted);
  if (!isObserved(deployment) || isRollingOut(deployment)) return undefined;
  return cacheFolders([...wanted, ...(deployment.spec.template.spec.containers[0]?.args ?? [])]);
}
