/**
 * Pure: a profile with a claim as its model cache → the claim, the Job that fills it, and whether it has done so. Until
 * then no replica of the model starts.
 */
import { isComplete, type Job, type PersistentVolumeClaim, type PodTemplate } from '../../api/kubernetes.ts';
import { FETCH_COMPONENT } from '../../api/labels.ts';
import type { Problem } from '../diagnose/context.ts';
import { replicaContext } from '../diagnose/replica-context.ts';
import { lookAgainForPod, viewJob } from '../diagnose/job.ts';
import { steady } from '../diagnose/steady.ts';
import { diagnoseFetch, TO_BE_FETCHED } from '../diagnose/fetch.ts';
import type { Observation } from '../gather.ts';
import type { InstallSettings } from '../resources/deployment.ts';
import { buildCacheClaim, buildFetchJob, cacheClaimOf } from '../resources/model-cache.ts';
import { cacheFolders, filesOf, type ModelFiles } from '../resources/model-files.ts';
import { jobsFor } from '../resources/metadata.ts';
import { isUnderWay } from '../rollout.ts';

type Profile = NonNullable<Observation['profile']>;

export interface CachePlan {
  /** Absent where the profile gives none any more: then there is one, for the template was made with it. */
  claim?: PersistentVolumeClaim;
  /** Absent until the claim is there. */
  job?: Job;
  /** Jobs for other models, to be deleted. */
  obsolete: Job[];
  /** What keeps replicas from being started; absent once the model is there. */
  problem?: Problem;
  /** After this long the Job should have a pod. */
  lookAgainMs?: number;
}

/** Returns the message for a claim that the replicas of `template` could not share; undefined where they can, or share none. */
export function notShareable(
  { resource, children }: Observation,
  profile: Profile,
  template: PodTemplate,
): string | undefined {
  const claim = cacheClaimOf(resource, profile.spec);
  const modes = children.cacheClaim?.spec.accessModes ?? (claim && buildCacheClaim(resource, claim).spec.accessModes);
  if (filesOf(template) === undefined || modes?.includes('ReadWriteOnce') !== true) return undefined;
  if (template.spec.nodeSelector?.['kubernetes.io/hostname'] !== undefined) return undefined;
  return `The model cache of profile ${profile.metadata.name} can be used on one node only (ReadWriteOnce), and nothing keeps replicas and download there. Choose another profile; the platform team can give it ReadWriteMany, or a nodeSelector with kubernetes.io/hostname.`;
}

/** Returns what to do for the cache that `template` reads, the one to run. */
export function planCache(
  observation: Observation,
  profile: Profile,
  template: PodTemplate,
  install: InstallSettings,
  now: Date,
): CachePlan {
  const { resource, children } = observation;
  const jobs = jobsFor(observation.jobs, FETCH_COMPONENT);
  const files = filesOf(template);
  if (files === undefined) return { obsolete: jobs };
  const spec = cacheClaimOf(resource, profile.spec);
  const claim = spec && { claim: buildCacheClaim(resource, spec) };
  const volume = children.cacheClaim?.metadata.uid;
  // What was in a claim that is lost is lost: the Job for another one has another name.
  if (volume === undefined) return { ...claim, obsolete: jobs, problem: TO_BE_FETCHED };
  const keep = keptFolders(observation, files);
  const job = buildFetchJob({ resource, profile: profile.spec, files, volume, keep, install });
  const view = viewJob(job.metadata.name, observation, now);
  const planned = { ...claim, job, obsolete: jobs.filter((other) => other !== view.job) };
  if (view.job && isComplete(view.job)) return planned;
  const problem = diagnoseFetch(view, replicaContext({ resource, profile }));
  return { ...planned, problem: steady(problem, resource.status?.conditions), ...lookAgainForPod(view) };
}

/** Only while no rollout is under way is it known that replicas read no folders but those of the template. */
function keptFolders(
  { children: { deployment }, pods }: Observation,
  { model, adapters }: ModelFiles,
): string[] | undefined {
  const wanted = [model, ...adapters].map(({ directory }) => directory);
  if (deployment === undefined) return cacheFolders(wanted);
  if (isUnderWay(deployment, pods)) return undefined;
  return cacheFolders([...wanted, ...(deployment.spec.template.spec.containers[0]?.args ?? [])]);
}
