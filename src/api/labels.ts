/** Names of Infer's labels, annotations and field managers. They are part of the API: a change needs a migration. */

/** On every child object and its pods: the name of the InferenceDeployment. */
export const DEPLOYMENT_LABEL = 'infer.dev/deployment';

/**
 * On children and replicas: the UID of the InferenceDeployment. A resource deleted and made again under the same name must neither
 * count nor serve its predecessor's replicas while those are still leaving.
 */
export const DEPLOYMENT_UID_LABEL = 'infer.dev/deployment-uid';

/** On pods: what they are for. Replicas carry `replica`, so that Jobs of a deployment are never served or counted. */
export const COMPONENT_LABEL = 'infer.dev/component';
export const REPLICA_COMPONENT = 'replica';
export const PREFLIGHT_COMPONENT = 'preflight';
export const FETCH_COMPONENT = 'fetch';

export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'infer';

/** On the pod template: the deployment's `spec.restartedAt`, so that a new value rolls the replicas. */
export const RESTARTED_AT_ANNOTATION = 'infer.dev/restarted-at';

/** On a Deployment: the name of the ControllerRevision whose pod template it runs. */
export const REVISION_ANNOTATION = 'infer.dev/revision';

/** On a ControllerRevision: `Auto` where no user asked for it, but the profile lets newer templates be taken. */
export const TAKEN_BY_ANNOTATION = 'infer.dev/taken-by';

/** On the pod template, where a Job downloads the model: what it is to bring, and where to. */
export const MODEL_FILES_ANNOTATION = 'infer.dev/model-files';

/** On children: the hash of what the operator last applied, so that an operator that restarts sends nothing. */
export const APPLIED_ANNOTATION = 'infer.dev/applied';

/** On a replica that was chosen to go: when, in RFC 3339. */
export const DRAINING_SINCE_ANNOTATION = 'infer.dev/draining-since';

/** On pods, by Kubernetes: ReplicaSets remove those with the lowest number first; 0 where it is absent. */
export const DELETION_COST_ANNOTATION = 'controller.kubernetes.io/pod-deletion-cost';

/** On a Deployment's pods, by Kubernetes: the same on those that were made from one template. */
export const REVISION_LABEL = 'pod-template-hash';

/** Field manager of the reconciler; it owns all fields of the children but a scaled Deployment's `replicas`. */
export const RECONCILER_MANAGER = 'infer';

/** Field manager of the scaler; it owns `spec.replicas` of the Deployments and nothing else. */
export const SCALER_MANAGER = 'infer-scaler';

/** The gateway's pods in Infer's own namespace, the only ones that may reach replicas. */
export const GATEWAY_POD_LABELS = { 'app.kubernetes.io/name': 'infer', 'app.kubernetes.io/component': 'gateway' };

/** On an EndpointSlice, by Kubernetes: the name of its Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
