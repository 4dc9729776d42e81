/** Condition types and reasons of an InferenceDeployment: a part of the API, so reasons are never renamed. */

export type ConditionType =
  | 'Accepted'
  | 'ModelResolved'
  | 'Available'
  | 'ReplicasReady'
  | 'Progressing'
  | 'ScalingActive'
  | 'ScalingLimited'
  | 'Ready';

/** Why the spec cannot be acted on. */
export type RefusalReason = 'UnknownHardwareProfile' | 'ProfileNotAllowed' | 'NameConflict' | 'CacheNotShareable';

/** Why a replica does not serve yet, or any more, or is not started at all. */
export type ReplicaReason =
  | 'NoMatchingNode'
  | 'WaitingForGPU'
  | 'Unschedulable'
  | 'QuotaExceeded'
  | 'PodsRefused'
  | 'ImagePullFailed'
  | 'TokenMissing'
  | 'TokenInvalid'
  | 'ModelNotFound'
  | 'ModelGated'
  | 'ModelTooLarge'
  | 'ModelRefused'
  | 'PreflightFailed'
  | 'UnsupportedArchitecture'
  | 'HubUnreachable'
  | 'DiskFull'
  | 'DownloadFailed'
  | 'ContainerConfigInvalid'
  | 'OutOfMemory'
  | 'GPUOutOfMemory'
  | 'CrashLooping'
  | 'EngineFailed'
  | 'StartupTimeout'
  | 'NotResponding'
  | 'NodeLost'
  | 'Evicted'
  | 'Preempted'
  | 'EndedByNode'
  | 'ApplyFailed'
  | 'WaitingForDeletion'
  | 'Resolving'
  | 'Scheduling'
  | 'Downloading'
  | 'Loading'
  | 'Draining';

/** The order in which the reasons of several replicas compete to be shown: what needs a person first. */
export const REASON_ORDER: readonly ReplicaReason[] = [
  'WaitingForDeletion',
  'ApplyFailed',
  'QuotaExceeded',
  'PodsRefused',
  'ImagePullFailed',
  'TokenMissing',
  'TokenInvalid',
  'ModelGated',
  'ModelNotFound',
  'UnsupportedArchitecture',
  'ModelTooLarge',
  'ModelRefused',
  'PreflightFailed',
  'HubUnreachable',
  'DiskFull',
  'DownloadFailed',
  'ContainerConfigInvalid',
  'OutOfMemory',
  'GPUOutOfMemory',
  'CrashLooping',
  'EngineFailed',
  'StartupTimeout',
  'NotResponding',
  'NodeLost',
  'NoMatchingNode',
  'WaitingForGPU',
  'Unschedulable',
  'Evicted',
  'Preempted',
  'EndedByNode',
  'Resolving',
  'Scheduling',
  'Downloading',
  'Loading',
  'Draining',
];
