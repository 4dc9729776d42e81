/** What Pod Security's level `restricted` asks of every pod and container of ours. */

/** Numeric because the kubelet cannot check a user's name against runAsNonRoot; no image needs to know it. */
const POD_UID = 10001;

export const podSecurity = {
  runAsNonRoot: true,
  runAsUser: POD_UID,
  runAsGroup: POD_UID,
  fsGroup: POD_UID,
  fsGroupChangePolicy: 'OnRootMismatch',
  seccompProfile: { type: 'RuntimeDefault' },
};

export const restrictedContainer = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
};
