/** The claim that holds the models of a deployment, and the Job that fills it before a GPU is reserved. */
import type { HardwareProfileSpec } from '../../api/generated/hardware-profile.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import { FETCH_COMPONENT } from '../../api/labels.ts';
import type { Job, PersistentVolumeClaim } from '../../api/kubernetes.ts';
import { contentHash } from '../../kube/hash.ts';
import { downloadContainer } from './download.ts';
import type { HubSettings } from './hub-environment.ts';
import { buildJob, named } from './job.ts';
import { childMetadata } from './metadata.ts';
import type { ModelFiles } from './model-files.ts';
import { cacheName, fetchName } from './names.ts';
import { nodesOf } from './placement.ts';

export type ClaimSpec = NonNullable<NonNullable<HardwareProfileSpec['modelCache']>['claim']>;

/** Returns the claim that the profile gives the deployment as a cache; undefined where each replica downloads, or none does. */
export function cacheClaimOf(
  resource: InferenceDeployment,
  { modelCache }: HardwareProfileSpec,
): ClaimSpec | undefined {
  if (resource.spec.model.id === undefined) return undefined;
  return modelCache?.type === 'PersistentVolumeClaim' ? modelCache.claim : undefined;
}

/** Returns the claim of a deployment: its own, so that it goes with it and no two tenants share a cache. */
export function buildCacheClaim(resource: InferenceDeployment, claim: ClaimSpec): PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { ...childMetadata(resource), name: cacheName(resource.metadata.name) },
    spec: {
      accessModes: [claim.accessMode ?? 'ReadWriteMany'],
      ...(claim.storageClassName !== undefined && { storageClassName: claim.storageClassName }),
      resources: { requests: { storage: String(claim.size) } },
    },
  };
}

export interface FetchInput {
  resource: InferenceDeployment;
  profile: HardwareProfileSpec;
  files: ModelFiles;
  /** UID of the claim. */
  volume: string;
  /** Folders of the claim that somebody may still read; undefined leaves all. */
  keep: readonly string[] | undefined;
  install: HubSettings & { image: string };
}

/** Returns the Job that downloads `files`; its name stands for them, the claim and the resource. */
export function buildFetchJob({ resource, profile, files, volume, keep, install }: FetchInput): Job {
  const hash = contentHash({ files, volume, uid: resource.metadata.uid }).slice(0, 6);
  const kept = keep === undefined ? [] : [{ name: 'INFER_KEEP_FOLDERS', value: keep.join(',') }];
  const claimName = cacheName(resource.metadata.name);
  // It stays after its end: while it is there, the model is.
  const job = buildJob(resource, profile, {
    component: FETCH_COMPONENT,
    container: downloadContainer(resource.spec.model, files, install, kept),
    volumes: [{ name: 'model', persistentVolumeClaim: { claimName, readOnly: false } }],
    // Where the replicas will be: a volume of one node or zone must come to lie there.
    placement: nodesOf(profile),
  });
  return named(job, fetchName(resource.metadata.name, hash));
}
