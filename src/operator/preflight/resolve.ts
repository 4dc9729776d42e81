/**
 * Pure: is it known what the spec's model is, and can it run? Until then no replica of it is started. What was found out
 * stays in the status, with its commit, until the spec asks for something else.
 */
import { effectiveSpec } from '../../api/defaults.ts';
import type { InferenceDeployment, InferenceDeploymentStatus } from '../../api/generated/inference-deployment.ts';
import { isFinished, type Job } from '../../api/kubernetes.ts';
import { PREFLIGHT_COMPONENT } from '../../api/labels.ts';
import { contentHash } from '../../kube/hash.ts';
import type { ModelFacts } from '../../preflight/result.ts';
import type { Problem } from '../diagnose/context.ts';
import { replicaContext } from '../diagnose/replica-context.ts';
import { lookAgainForPod, viewJob } from '../diagnose/job.ts';
import { steady } from '../diagnose/steady.ts';
import { diagnosePreflight } from '../diagnose/preflight.ts';
import type { Observation } from '../gather.ts';
import { effectiveEngineSettings } from '../resources/engine.ts';
import type { KnownModel } from '../resources/model-files.ts';
import type { InstallSettings } from '../resources/deployment.ts';
import { jobsFor } from '../resources/metadata.ts';
import { buildPreflightJob } from '../resources/preflight-job.ts';
import type { Verdict } from '../verdicts.ts';
import { supportsArchitecture } from './architectures.ts';
import { fitProblem } from './fit.ts';

export interface ModelResolution {
  /** The condition ModelResolved: True when replicas may be started, Unknown while the answer is still to come. */
  verdict: Verdict;
  /** What keeps replicas from being started. */
  problem?: Problem;
  /** For the status: what is known, also of the model that a former spec named while nothing newer is known. */
  model: InferenceDeploymentStatus['model'];
  /** What replicas are made by; undefined where each finds out for itself. */
  known?: KnownModel;
  /** The Job to have. */
  job?: Job;
  /** Jobs that nobody waits for any more, to be deleted. */
  obsolete: Job[];
  /** After this long a Job that ended without an answer is made again, or one should have a pod. */
  lookAgainMs?: number;
}

/** A Job that ended without an answer, its pod lost or its text no answer, is made again under its name, but not at once. */
const UNANSWERED_MS = 30_000;

type ModelStatus = NonNullable<InferenceDeploymentStatus['model']>;
type Profile = NonNullable<Observation['profile']>;

/** Returns what is known of the model, and what to do to know more; the profile tells how to pull our image. */
export function resolveModel(
  observation: Observation,
  profile: Profile,
  settings: InstallSettings & { preflight: boolean },
  now: Date,
): ModelResolution {
  const { resource } = observation;
  const jobs = jobsFor(observation.jobs, PREFLIGHT_COMPONENT);
  const known = resource.status?.model;
  const specHash = modelHash(resource);
  if (resource.spec.model.id === undefined) {
    return unchecked('The model comes from a volume and is not looked up.', jobs);
  }
  const job = buildPreflightJob(resource, profile.spec, settings);
  const view = viewJob(job.metadata.name, observation, now);
  const live = view.job;
  // Kubernetes may not have seen yet that the one that gave the answer has ended.
  const others = unfinished(jobs.filter((other) => other !== live));
  if (known?.specHash === specHash) return resolved(known, others);
  if (!settings.preflight) return unchecked('This install looks no model up before it is started.', jobs);

  const state = diagnosePreflight(view, replicaContext({ resource, profile }));
  if ('facts' in state) return resolved(modelStatus(state.facts, specHash), others);
  const problem = steady(state.problem, resource.status?.conditions);
  const status = problem.reason === 'Resolving' ? 'Unknown' : 'False';
  const waiting = { verdict: { status, ...problem } as const, problem, model: known, job };
  if (live === undefined) return { ...waiting, obsolete: others };
  if (!isFinished(live)) return { ...waiting, obsolete: others, ...lookAgainForPod(view) };
  const againMs = finishedAtMs(live) + UNANSWERED_MS - now.getTime();
  return againMs > 0
    ? { ...waiting, obsolete: others, lookAgainMs: againMs }
    : { ...waiting, obsolete: [...others, live] };
}

/** Returns 16 hexadecimal digits that stand for what the spec asks of the hub. */
export function modelHash({ spec: { model, adapters, restartedAt } }: InferenceDeployment): string {
  const asked = (adapters ?? []).map(({ name, id, revision }) => ({ name, id, revision: revision ?? 'main' }));
  const { id, revision = 'main' } = model;
  return contentHash({ id, revision, restartedAt, ...(asked.length > 0 && { asked }) }).slice(0, 16);
}

function unchecked(message: string, jobs: readonly Job[]): ModelResolution {
  const verdict: Verdict = { status: 'True', reason: 'PreflightOff', message };
  return { verdict, model: undefined, obsolete: unfinished(jobs) };
}

function finishedAtMs({ status }: Job): number {
  const times = (status?.conditions ?? []).map(({ lastTransitionTime }) => Date.parse(lastTransitionTime ?? ''));
  return Math.max(0, ...times.filter((time) => !Number.isNaN(time)));
}

function unfinished(jobs: readonly Job[]): Job[] {
  return jobs.filter((job) => !isFinished(job));
}

function resolved(model: ModelStatus, obsolete: Job[]): ModelResolution {
  const message = 'The model exists at the hub and may be downloaded.';
  return { verdict: { status: 'True', reason: 'Resolved', message }, model, known: model, obsolete };
}

/**
 * Returns why replicas of the model, as it is `known`, could not run on the profile; undefined where they can as far as
 * can be told. The facts are the hub's: whether they suit changes with the profile and the catalogue as well.
 */
export function modelMisfit(observation: Observation, profile: Profile, known: KnownModel): Problem | undefined {
  if (known === undefined) return undefined;
  return architectureProblem(observation, known) ?? fit(observation, profile, known);
}

function architectureProblem(
  { isCatalogued, resource }: Observation,
  { architecture }: ModelStatus,
): Problem | undefined {
  if (architecture === undefined || isCatalogued || supportsArchitecture(architecture)) return undefined;
  return {
    reason: 'UnsupportedArchitecture',
    message: `vLLM has no class ${architecture}, which ${resource.spec.model.id} is made for. Choose another model; where the profile's engine image knows it, the platform team adds a CatalogModel for it.`,
  };
}

function fit(observation: Observation, profile: Profile, model: ModelStatus): Problem | undefined {
  const spec = effectiveSpec(observation.resource.spec);
  return fitProblem({
    profileName: profile.metadata.name,
    profile: profile.spec,
    engine: effectiveEngineSettings(spec.engine, observation.catalogueEngine),
    model,
  });
}

function modelStatus(facts: ModelFacts, specHash: string): ModelStatus {
  const { totalBytes: _bytes, adapters, ...shown } = facts;
  const known = Object.entries(shown).filter(([, value]) => value !== undefined);
  // By name, since a hostile answer may name one twice.
  const byName = new Map(adapters.map(({ name, commit, rank }) => [name, { name, commit, rank }]));
  const pinned = [...byName.values()];
  return { specHash, ...Object.fromEntries(known), ...(pinned.length > 0 && { adapters: pinned }) };
}
