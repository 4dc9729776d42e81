/** The container that brings a model from the hub onto a volume: before the engine in its pod, or in a Job of its own. */
import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import type { Container, EnvironmentVariable } from '../../api/kubernetes.ts';
import { MODEL_DIRECTORY } from './engine.ts';
import { hubEnvironment, type HubSettings } from './hub-environment.ts';
import { downloadEnvironment, type ModelFiles } from './model-files.ts';
import { restrictedContainer } from './security.ts';

export const DOWNLOAD_CONTAINER = 'download';

/**
 * Returns the container that downloads `files`, told `more`; it alone holds the token, and has ended before an engine
 * starts.
 */
export function downloadContainer(
  model: InferenceDeploymentSpec['model'],
  files: ModelFiles,
  install: HubSettings & { image: string },
  more: EnvironmentVariable[] = [],
): Container {
  return {
    name: DOWNLOAD_CONTAINER,
    image: install.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['node', '/app/prefetch.js'],
    env: [...hubEnvironment(model, files.model.revision, install), ...downloadEnvironment(files), ...more],
    resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
    volumeMounts: [{ name: 'model', mountPath: MODEL_DIRECTORY }],
    securityContext: restrictedContainer,
  };
}
