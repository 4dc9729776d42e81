/** Pure: whether waiting for a deployment is over, by its conditions. */
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { findCondition } from '../kube/conditions.ts';

export interface Health {
  /** `failing`: needs a person; `stopped`: has no replicas by the user's wish. */
  state: 'ready' | 'stopped' | 'waiting' | 'failing';
  reason: string;
  message: string;
}

/**
 * What does not pass without a person. All else may: a node that an autoscaler adds, a quota that is freed, an image
 * that a registry serves again.
 */
const NEEDS_A_PERSON: ReadonlySet<string> = new Set([
  'UnknownHardwareProfile',
  'ProfileNotAllowed',
  'NameConflict',
  'CacheNotShareable',
  'TokenMissing',
  'TokenInvalid',
  'ModelNotFound',
  'ModelGated',
  'ModelTooLarge',
  'ModelRefused',
  'UnsupportedArchitecture',
  'ContainerConfigInvalid',
  'OutOfMemory',
  'GPUOutOfMemory',
  'CrashLooping',
  'EngineFailed',
  'StartupTimeout',
  'DeadlineExceeded',
]);

/** A change is still on its way although replicas of before serve. */
const CHANGING: ReadonlySet<string> = new Set([
  'RollingOut',
  'Resolving',
  'Downloading',
  'WaitingForGPU',
  'QuotaExceeded',
]);

/** Returns how far the deployment is with what its spec says now. */
export function healthOf({ metadata, status }: InferenceDeployment): Health {
  const ready = findCondition(status?.conditions, 'Ready');
  if (ready === undefined || status?.observedGeneration !== metadata.generation) {
    return { state: 'waiting', reason: 'Pending', message: "Infer's operator has not seen it yet." };
  }
  if (ready.reason === 'Suspended') return told('stopped', ready);
  const progressing = findCondition(status?.conditions, 'Progressing') ?? ready;
  const isLate = progressing.reason === 'DeadlineExceeded';
  if (ready.status !== 'True') return told(isLate || NEEDS_A_PERSON.has(ready.reason) ? 'failing' : 'waiting', ready);
  // What served before goes on while a change is on its way, or fails.
  if (progressing.status === 'False') {
    return told(NEEDS_A_PERSON.has(progressing.reason) ? 'failing' : 'waiting', progressing);
  }
  return CHANGING.has(progressing.reason) ? told('waiting', progressing) : told('ready', ready);
}

function told(state: Health['state'], { reason, message }: Pick<Health, 'reason' | 'message'>): Health {
  return { state, reason, message };
}
