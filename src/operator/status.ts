/** Pure: observation, plan and decision → the status to show. Messages are stable sentences, so steady states write nothing. */
import { REASON_ORDER, type ConditionType } from '../api/conditions.ts';
import { effectiveSpec } from '../api/defaults.ts';
import type { InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import type { Pod } from '../api/kubernetes.ts';
import type { ShownLearned } from '../autoscaler/shown-learned.ts';
import type { Standing } from '../autoscaler/standing.ts';
import { findCondition, setCondition, type Condition } from '../kube/conditions.ts';
import type { Problem, ReplicaContext, ReplicaState } from './diagnose/context.ts';
import { overdue, podsRefused } from './diagnose/deployment.ts';
import { isOver, ofNewestRevision, outgrown } from './diagnose/endings.ts';
import type { EngineCause } from './diagnose/engine-log.ts';
import { replicaContext } from './diagnose/replica-context.ts';
import { steady } from './diagnose/steady.ts';
import type { Observation } from './gather.ts';
import type { Plan } from './plan.ts';
import { shownCost } from './cost.ts';
import { hintingAtUpdate, holdingUp } from './templates/messages.ts';
import { scalingActiveVerdict, scalingLimitedVerdict } from './scaling-verdicts.ts';
import { replicaState, shownReplicas } from './replica-list.ts';
import { actedOn, shownBefore, shownDecision } from './scaling-status.ts';
import type { ShownTraffic } from './traffic-display.ts';
import { availableVerdict, progressingVerdict, readyVerdict, replicasReadyVerdict, type Verdict } from './verdicts.ts';

export type EngineCauses = ReadonlyMap<string, EngineCause>;

export interface StatusInput {
  observation: Observation;
  plan: Plan;
  decision: Standing;
  /** What the scaler has learned, as it is to be shown. */
  learned?: ShownLearned | undefined;
  /** What the API server answered when the children were applied, if it refused. */
  applyFailure: string | undefined;
  /** What the logs of failed engines say, by the UID of the pod. */
  engineCauses: EngineCauses;
  /** How much of the model is there, in steps of 10; undefined where nothing is being downloaded. */
  downloadedPercent?: number | undefined;
  /** The traffic as it is to be shown. */
  traffic: ShownTraffic;
  /** The checkpoint of the time that replicas have run; undefined where none ever had a place. */
  usage?: InferenceDeploymentStatus['usage'];
  /** The price of a million tokens as it is to be shown; undefined without traffic. */
  perMillionTokens?: string | undefined;
  /** The gateways' base URL, where the install has set one. */
  gatewayUrl: string | undefined;
}

/** Returns the whole status of the deployment at `now`. */
export function computeStatus(input: StatusInput, now: Date): InferenceDeploymentStatus {
  const { observation, engineCauses, gatewayUrl } = input;
  const acted = actedOn(input.decision, input.plan, observation.children.deployment);
  const decision = acted ?? input.decision;
  const told = observation.resource.status?.scaling;
  // A count that was not changed is told as none, also where the API server refused the change.
  const isUnchanged = told?.desiredReplicas !== undefined && (!acted || input.applyFailure !== undefined);
  const context = replicaContext(observation);
  // Pods that ended for good count only where nothing else tells why there is no replica.
  const live = observation.pods.filter((pod) => !isOver(pod));
  const pods = live.length > 0 ? live : observation.pods;
  const replicas = pods.map((pod) => ({
    pod,
    state: replicaState(pod, context, engineCauses.get(pod.metadata.uid ?? '')),
  }));
  const states = replicas.map(({ state }) => state);
  const cost = shownCost(observation.profile, observation.pods, input.perMillionTokens);
  const update = input.plan.template?.update;
  return {
    conditions: conditions({ ...input, decision }, states, replicaProblems(pods, states, observation, context), now),
    observedGeneration: observation.resource.metadata.generation ?? 0,
    endpoint: {
      ...(gatewayUrl !== undefined && { baseUrl: gatewayUrl }),
      model: observation.resource.metadata.name,
    },
    ...shownModel(input),
    replicas: { desired: decision.replicas, ...shownReplicas(replicas) },
    scaling: {
      ...(isUnchanged ? shownBefore(told) : shownDecision(decision, told, now)),
      ...input.traffic,
      ...(input.learned && { learned: input.learned }),
    },
    ...(cost && { cost }),
    ...(input.usage && { usage: input.usage }),
    ...(update && { update }),
  };
}

const UNKNOWN_MODEL: Verdict = {
  status: 'Unknown',
  reason: 'Resolving',
  message: 'The model is looked up once the spec is accepted.',
};

function shownModel({ observation, plan, downloadedPercent }: StatusInput): Pick<InferenceDeploymentStatus, 'model'> {
  // Where the spec was refused before its model was looked at, nothing newer is known.
  const known = plan.model ? plan.model.model : observation.resource.status?.model;
  const { downloadedPercent: _before, ...model } = known ?? {};
  const shown = { ...model, ...(downloadedPercent !== undefined && { downloadedPercent }) };
  return Object.keys(shown).length === 0 ? {} : { model: shown };
}

/** What is wrong with the replicas of the newest revision and with those that leave, and what ended the ones before. */
function replicaProblems(
  pods: readonly Pod[],
  states: readonly ReplicaState[],
  { pods: all, children: { deployment } }: Pick<Observation, 'pods' | 'children'>,
  context: ReplicaContext,
): Problem[] {
  const stay = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const staying = ofNewestRevision(stay, deployment);
  const problems = pods.map((pod, index) =>
    pod.metadata.deletionTimestamp !== undefined || staying.includes(pod) ? states[index]?.problem : undefined,
  );
  return [...problems, outgrown(all, deployment, context)].filter((problem) => problem !== undefined);
}

function conditions(
  { observation, plan, decision, applyFailure }: StatusInput,
  states: readonly ReplicaState[],
  problems: readonly Problem[],
  now: Date,
): Condition[] {
  const { resource, children } = observation;
  const desired = decision.replicas;
  const ready = count(states, 'ready');
  const refused = podsRefused(children.deployment, replicaContext(observation));
  const worstProblem = worst([
    ...(plan.held ? [plan.held] : []),
    ...undone(plan, applyFailure),
    ...(refused ? [refused] : []),
    ...problems,
  ]);
  const problem = steady(overdue(worstProblem, children.deployment), resource.status?.conditions);
  const accepted: Verdict = plan.refusal
    ? { status: 'False', ...plan.refusal }
    : { status: 'True', reason: 'Valid', message: 'The spec is valid and its hardware profile exists.' };
  const model = plan.model?.verdict ?? UNKNOWN_MODEL;
  const { pods } = observation;
  const progress = { deployment: children.deployment, pods, ready, desired, problem, held: plan.held };
  const { hardwareProfile } = effectiveSpec(resource.spec);
  const progressing = holdingUp(progressingVerdict(progress), plan.template?.standing, hardwareProfile);
  const { minReplicas } = effectiveSpec(resource.spec);
  const before = findCondition(resource.status?.conditions, 'Available')?.reason;
  const serving = availableVerdict({ ready, problem, decision, minReplicas, before });
  const available = hintingAtUpdate(serving, progressing, plan.template?.update);
  const verdicts: [ConditionType, Verdict][] = [
    ['Ready', readyVerdict({ accepted, available, ...(plan.held && { model }) }, ready, desired)],
    ['Accepted', accepted],
    ['ModelResolved', model],
    ['Available', available],
    ['ReplicasReady', replicasReadyVerdict(ready, desired, problem)],
    ['Progressing', progressing],
    ['ScalingActive', scalingActiveVerdict(decision)],
    ['ScalingLimited', scalingLimitedVerdict(decision)],
  ];
  const observedGeneration = resource.metadata.generation ?? 0;
  // Only our own: another controller's condition that we sent along would become ours.
  const own = (resource.status?.conditions ?? []).filter((condition) =>
    verdicts.some(([type]) => type === condition.type),
  );
  return verdicts.reduce<Condition[]>(
    (all, [type, verdict]) => setCondition(all, { type, observedGeneration, ...verdict }, now),
    own,
  );
}

function count(states: readonly ReplicaState[], phase: ReplicaState['phase']): number {
  return states.filter((state) => state.phase === phase).length;
}

/** Why the children are not as the spec wants them. */
function undone(plan: Plan, applyFailure: string | undefined): Problem[] {
  const waits: Problem = {
    reason: 'WaitingForDeletion',
    message: 'Objects of a deleted deployment of this name are still being removed; waits until they are gone.',
  };
  return [
    ...(plan.waitsForDeletion ? [waits] : []),
    ...(applyFailure === undefined ? [] : [{ reason: 'ApplyFailed' as const, message: applyFailure }]),
  ];
}

function worst(problems: readonly Problem[]): Problem | undefined {
  return problems.toSorted((a, b) => REASON_ORDER.indexOf(a.reason) - REASON_ORDER.indexOf(b.reason))[0];
}
