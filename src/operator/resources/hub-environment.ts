import type { InferenceDeploymentSpec } from '../../api/generated/inference-deployment.ts';
import type { EnvironmentVariable } from '../../api/kubernetes.ts';

/** How an install reaches the hub. */
export interface HubSettings {
  /** The hub's base URL, for example https://huggingface.co, or a mirror. */
  hubEndpoint: string;
  /** For https hubs; absent means without a proxy. */
  httpsProxy?: string | undefined;
  /** Hosts that are reached without it, separated by commas. */
  noProxy?: string | undefined;
}

/**
 * Returns the environment of a container that asks the hub for the model at `revision`. Only such a container gets the
 * token, and it never runs the engine.
 */
export function hubEnvironment(
  { id = '', tokenSecretRef }: InferenceDeploymentSpec['model'],
  revision: string,
  hub: HubSettings,
): EnvironmentVariable[] {
  const token = tokenSecretRef && { name: tokenSecretRef.name, key: tokenSecretRef.key ?? 'token' };
  return [
    { name: 'INFER_MODEL_ID', value: id },
    { name: 'INFER_MODEL_REVISION', value: revision },
    { name: 'HF_ENDPOINT', value: hub.hubEndpoint },
    ...(hub.httpsProxy === undefined ? [] : [{ name: 'HTTPS_PROXY', value: hub.httpsProxy }]),
    ...(hub.noProxy === undefined ? [] : [{ name: 'NO_PROXY', value: hub.noProxy }]),
    ...(token === undefined ? [] : [{ name: 'HF_TOKEN', valueFrom: { secretKeyRef: token } }]),
  ];
}
