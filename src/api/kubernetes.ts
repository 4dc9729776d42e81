/**
 * The parts of Kubernetes' built-in kinds that Infer writes and reads, in the JSON of the API (client-node's
 * types rename `from` and turn times into Dates, which server-side apply would send wrongly).
 */
import type { KubeObject, ObjectMeta } from '../kube/types.ts';

export interface LabelSelector {
  matchLabels: Record<string, string>;
}

export interface EnvironmentVariable {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef: { name: string; key: string } };
}

export interface HttpProbe {
  httpGet: { path: string; port: string };
  periodSeconds: number;
  timeoutSeconds: number;
  failureThreshold: number;
}

export interface Container {
  name: string;
  image: string;
  imagePullPolicy?: string;
  command?: string[];
  args?: string[];
  env?: EnvironmentVariable[];
  ports?: { name: string; containerPort: number; protocol: string }[];
  resources: { requests?: Record<string, string>; limits?: Record<string, string> };
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean; subPath?: string }[];
  securityContext: Record<string, unknown>;
  startupProbe?: HttpProbe;
  readinessProbe?: HttpProbe;
  livenessProbe?: HttpProbe;
  lifecycle?: { preStop: { sleep: { seconds: number } } };
  terminationMessagePolicy?: string;
}

export interface Volume {
  name: string;
  emptyDir?: { medium?: string; sizeLimit?: string };
  persistentVolumeClaim?: { claimName: string; readOnly: boolean };
}

export interface PodSpec {
  automountServiceAccountToken: boolean;
  enableServiceLinks: boolean;
  terminationGracePeriodSeconds: number;
  securityContext: Record<string, unknown>;
  initContainers?: Container[];
  containers: Container[];
  volumes: Volume[];
  nodeSelector?: Record<string, string>;
  tolerations?: Record<string, unknown>[];
  topologySpreadConstraints?: Record<string, unknown>[];
  runtimeClassName?: string;
  priorityClassName?: string;
  imagePullSecrets?: { name: string }[];
}

/** A pod that runs once, as a Job has it; the rest is as in a replica's. */
export interface JobPodSpec extends PodSpec {
  restartPolicy: 'OnFailure';
}

export interface Job extends KubeObject {
  spec: {
    backoffLimit: number;
    ttlSecondsAfterFinished?: number;
    template: { metadata: Omit<ObjectMeta, 'name'>; spec: JobPodSpec };
  };
  status?: { conditions?: { type: string; status: string; lastTransitionTime?: string }[] };
}

/** Returns whether the Job has done what it was for. */
export function isComplete({ status }: Job): boolean {
  return (status?.conditions ?? []).some(({ type, status: is }) => type === 'Complete' && is === 'True');
}

/** Returns whether the Job has ended, well or not. */
export function isFinished({ status }: Job): boolean {
  return (status?.conditions ?? []).some(
    ({ type, status: is }) => (type === 'Complete' || type === 'Failed') && is === 'True',
  );
}

export interface PersistentVolumeClaim extends KubeObject {
  spec: { accessModes: string[]; storageClassName?: string; resources: { requests: { storage: string } } };
}

export interface PodTemplate {
  metadata: Omit<ObjectMeta, 'name'>;
  spec: PodSpec;
}

export interface DeploymentStatus {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  unavailableReplicas?: number;
  conditions?: {
    type: string;
    status: string;
    reason?: string;
    message?: string;
    lastTransitionTime?: string;
    lastUpdateTime?: string;
  }[];
}

export interface Deployment extends KubeObject {
  spec: {
    /** Absent where the scaler owns it. */
    replicas?: number;
    selector: LabelSelector;
    strategy: Record<string, unknown>;
    progressDeadlineSeconds: number;
    revisionHistoryLimit: number;
    template: PodTemplate;
  };
  status?: DeploymentStatus;
}

/** Returns whether Kubernetes has seen the last change: before that the status tells of another spec. */
export function isObserved({ metadata, status }: Deployment): boolean {
  return status?.observedGeneration === metadata.generation;
}

/** Returns whether the pod's readiness probes say that it serves; it may be leaving all the same. */
export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

/** Returns whether Kubernetes is still replacing replicas of an old revision, as far as it has seen. */
export function isRollingOut({ status }: Deployment): boolean {
  return (status?.updatedReplicas ?? 0) < (status?.replicas ?? 0);
}

/**
 * Returns the pod-template-hash of the ReplicaSet that the Deployment's condition Progressing names, and when its rollout
 * was completed (RFC 3339), if it was; undefined where none is named. Kubernetes tells of it nowhere else on the Deployment.
 * The one before goes on being named where the template went back to an older one, or a write of Kubernetes was lost, until
 * that of the template makes progress.
 */
export function namedRevision({
  metadata,
  status,
}: Deployment): { hash: string; completedAt?: string | undefined } | undefined {
  const said = status?.conditions?.find(({ type }) => type === 'Progressing');
  const [, hash] = new RegExp(`"${metadata.name}-([a-z0-9]+)"`).exec(said?.message ?? '') ?? [];
  if (hash === undefined) return undefined;
  return said?.reason === 'NewReplicaSetAvailable' ? { hash, completedAt: said.lastUpdateTime } : { hash };
}

/**
 * Returns whether the last rollout was completed and something serves, or nothing is to. More replicas than that may still
 * be on their way: a deployment that scales up has settled.
 */
export function hasSettled(deployment: Deployment): boolean {
  if (!isObserved(deployment) || isRollingOut(deployment)) return false;
  if ((deployment.spec.replicas ?? 0) === 0) return true;
  const { conditions = [], availableReplicas = 0 } = deployment.status ?? {};
  // Kubernetes leaves it at that until the template changes, whatever becomes of the pods.
  const complete = conditions.some(({ type, reason }) => type === 'Progressing' && reason === 'NewReplicaSetAvailable');
  return complete && availableReplicas > 0;
}

/** Data that Kubernetes keeps unchangeable; the highest `revision` is the newest of an owner. */
export interface ControllerRevision extends KubeObject {
  revision: number;
  data?: unknown;
}

export interface Service extends KubeObject {
  spec: {
    type: string;
    selector: Record<string, string>;
    ports: { name: string; port: number; protocol: string; targetPort: string }[];
  };
}

export interface PodDisruptionBudget extends KubeObject {
  spec: { maxUnavailable: number; unhealthyPodEvictionPolicy: string; selector: LabelSelector };
}

export interface NetworkPolicyPeer {
  namespaceSelector?: LabelSelector;
  podSelector?: LabelSelector;
  ipBlock?: { cidr: string; except?: string[] };
}

export interface NetworkPolicy extends KubeObject {
  spec: {
    podSelector: LabelSelector;
    policyTypes: string[];
    ingress: { from: NetworkPolicyPeer[]; ports: { port: number; protocol: string }[] }[];
    egress: { to?: NetworkPolicyPeer[]; ports: { port: number; protocol: string }[] }[];
  };
}

export interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt?: string };
  terminated?: {
    exitCode: number;
    reason?: string;
    message?: string;
    signal?: number;
    startedAt?: string;
    finishedAt?: string;
    containerID?: string;
  };
}

export interface ContainerStatus {
  name: string;
  ready: boolean;
  restartCount: number;
  image?: string;
  state?: ContainerState;
  lastState?: ContainerState;
}

/** A pod as read; it is never written. */
export interface Pod extends KubeObject {
  spec?: {
    nodeName?: string;
    nodeSelector?: Record<string, string>;
    containers?: { name: string; image?: string; resources?: { limits?: Record<string, string> } }[];
  };
  status?: {
    phase?: string;
    podIP?: string;
    reason?: string;
    message?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[];
    initContainerStatuses?: ContainerStatus[];
    containerStatuses?: ContainerStatus[];
  };
}

/** One address of a Service. A condition that is absent or null is not known: `ready` then means true (API reference). */
export interface Endpoint {
  addresses: string[];
  conditions?: { ready?: boolean | null; terminating?: boolean | null };
  /** The pod. */
  targetRef?: { kind?: string; uid?: string };
}

/** A part of a Service's addresses, as read; a pod can be in two of them for a moment. */
export interface EndpointSlice extends KubeObject {
  addressType: string;
  ports?: { name?: string | null; port?: number | null }[] | null;
  endpoints?: Endpoint[] | null;
}
