/** Condition types and reasons of an InferenceDeployment: a part of the API, so reasons are never renamed. */

export type ConditionType = 'Accepted' | 'Available' | 'ReplicasReady' | 'Progressing' | 'Ready';

/** Why the spec cannot be acted on. */
export type RefusalReason = 'UnknownHardwareProfile' | 'ProfileNotAllowed' | 'NameConflict';

/** Why a replica does not serve yet, or any more. */
export type ReplicaReason =
  | 'WaitingForGPU'
  | 'Unschedulable'
  | 'QuotaExceeded'
  | 'PodsRefused'
  | 'ImagePullFailed'
  | 'TokenMissing'
  | 'TokenInvalid'
  | 'ModelNotFound'
  | 'ModelGated'
  | 'UnsupportedArchitecture'
  | 'HubUnreachable'
  | 'DiskFull'
  | 'DownloadFailed'
  | 'ContainerConfigInvalid'
  | 'OutOfMemory'
  | 'GPUOutOfMemory'
  | 'CrashLooping'
  | 'EngineFailed'
  | 'NotResponding'
  | 'Evicted'
  | 'EndedByNode'
  | 'ApplyFailed'
  | 'WaitingForDeletion'
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
  'HubUnreachable',
  'DiskFull',
  'DownloadFailed',
  'ContainerConfigInvalid',
  'OutOfMemory',
  'GPUOutOfMemory',
  'CrashLooping',
  'EngineFailed',
  'NotResponding',
  'WaitingForGPU',
  'Unschedulable',
  'Evicted',
  'EndedByNode',
  'Scheduling',
  'Downloading',
  'Loading',
  'Draining',
];
