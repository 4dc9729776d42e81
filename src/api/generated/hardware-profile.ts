// Generated from crds/hardwareprofiles.yaml by `make generate`; do not edit.
import type { ObjectMeta } from '../../kube/types.ts';

/**
 * HardwareProfile says on what a replica runs: accelerators, engine image, resources and placement. The platform team declares profiles in Infer's own namespace; an InferenceDeployment names one. It has no status: a profile that was accepted is valid.
 */
export interface HardwareProfile {
  apiVersion?: 'infer.dev/v1alpha1';
  kind?: 'HardwareProfile';
  metadata: ObjectMeta;
  spec: HardwareProfileSpec;
}
/**
 * spec is what a replica gets.
 */
export interface HardwareProfileSpec {
  accelerator?: HardwareProfileSpecAccelerator;
  /**
   * image is the engine's image, with a tag other than latest or, better, with a digest. Example docker.io/vllm/vllm-openai:v0.32.0.
   */
  image: string;
  /**
   * imagePullSecrets are Secrets for the image's registry; each must exist in the namespace of the deployment. Default none. Example [{name: registry}].
   */
  imagePullSecrets?: HardwareProfileSpecImagePullSecretsItem[];
  /**
   * args are further vLLM arguments, each as --name or --name=value; what a deployment sets under engine wins over them. Arguments that load code, open files or are set by Infer are refused. Default none. Example ["--max-num-batched-tokens=8192"].
   *
   * Items: One vLLM argument.
   */
  args?: string[];
  resources: HardwareProfileSpecResources;
  /**
   * sharedMemory is the size of /dev/shm, by which the processes of one replica talk; it counts as memory of the pod. A Kubernetes quantity. Unit bytes. Default 2Gi. Example 8Gi.
   */
  sharedMemory?: number | string;
  modelCache?: HardwareProfileSpecModelCache;
  /**
   * nodeSelector are labels that a node must have. Default none. Example {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}.
   */
  nodeSelector?: {
    /**
     * Value of one label.
     */
    [k: string]: string;
  };
  /**
   * tolerations are the taints of nodes that replicas may run on all the same. Default none. Example [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}].
   */
  tolerations?: HardwareProfileSpecTolerationsItem[];
  topologySpread?: HardwareProfileSpecTopologySpread;
  /**
   * runtimeClassName is the RuntimeClass of the pods. Default: the cluster's own. Example nvidia.
   */
  runtimeClassName?: string;
  /**
   * priorityClassName is the PriorityClass of the pods. Default: the cluster's own. Example inference-high.
   */
  priorityClassName?: string;
  /**
   * allowedNamespaces are the namespaces whose deployments may use this profile. Default: all. Example [team-a, team-b].
   *
   * Items: Name of one namespace.
   */
  allowedNamespaces?: string[];
  price?: HardwareProfileSpecPrice;
  /**
   * gpuWaitSeconds is how long a rollout waits for a free accelerator for one more replica before it replaces replicas one at a time; it does so only where the old replica makes that room. Unit seconds. Default 30. Example 60.
   */
  gpuWaitSeconds?: number;
  /**
   * rollout says when deployments take a newer pod template, which an edit of this profile or of a CatalogModel, or an upgrade of Infer, has made: OnChange (when their own spec changes in what shapes the pods, for example restartedAt) or Auto (by themselves, one deployment of the profile after the other; where one does not come to serve, the others wait until it does). Default OnChange. Example Auto.
   */
  rollout?: 'OnChange' | 'Auto';
}
/**
 * accelerator is what each replica reserves. Absent means that replicas run on CPU only. Example {count: 4, memoryGiB: 80}.
 */
export interface HardwareProfileSpecAccelerator {
  /**
   * resource is the name of the extended resource by which the cluster counts accelerators. Default nvidia.com/gpu. Example nvidia.com/mig-3g.40gb.
   */
  resource?: string;
  /**
   * count is how many accelerators each replica reserves; the model is spread over all of them (tensor parallel). Unit accelerators. Default 1. Example 4.
   */
  count?: number;
  /**
   * memoryGiB is the memory of each accelerator. It is for people, in kubectl get hardwareprofiles; this version of Infer checks no model against it. Unit GiB. Example 80.
   */
  memoryGiB: number;
  /**
   * product is the name of the accelerator, for people; it chooses no node (nodeSelector does). Default: absent. Example NVIDIA-A100-SXM4-80GB.
   */
  product?: string;
}
/**
 * One Secret.
 */
export interface HardwareProfileSpecImagePullSecretsItem {
  /**
   * name is the name of the Secret. Example registry.
   */
  name: string;
}
/**
 * resources are CPU and memory of the engine's container; accelerators are added by Infer. Example {requests: {cpu: "8", memory: 64Gi}}.
 */
export interface HardwareProfileSpecResources {
  requests: HardwareProfileSpecResourcesRequests;
  limits?: HardwareProfileSpecResourcesLimits;
}
/**
 * requests are what the scheduler reserves. Example {cpu: "8", memory: 64Gi}.
 */
export interface HardwareProfileSpecResourcesRequests {
  /**
   * cpu is the number of CPU cores reserved, a Kubernetes quantity. Unit cores. Example "8".
   */
  cpu: number | string;
  /**
   * memory is the main memory reserved, a Kubernetes quantity. Unit bytes. Example 64Gi.
   */
  memory: number | string;
}
/**
 * limits are what the container may use at most. Default: no limits. Example {memory: 96Gi}.
 */
export interface HardwareProfileSpecResourcesLimits {
  /**
   * cpu is the most CPU cores used, a Kubernetes quantity. Unit cores. Default no limit. Example "16".
   */
  cpu?: number | string;
  /**
   * memory is the most main memory used, a Kubernetes quantity. Unit bytes. Default no limit. Example 96Gi.
   */
  memory?: number | string;
}
/**
 * modelCache is where the downloaded model is kept. Default {type: EmptyDir}. Example {type: EmptyDir, sizeLimit: 200Gi}.
 */
export interface HardwareProfileSpecModelCache {
  /**
   * type is EmptyDir (each replica downloads to the disk of its node) or PersistentVolumeClaim (each deployment gets a volume that a Job without a GPU fills before the first replica starts; all replicas read it). Default EmptyDir. Example EmptyDir.
   */
  type?: 'EmptyDir' | 'PersistentVolumeClaim';
  /**
   * sizeLimit is the most disk that the cache of one replica may take; a replica that needs more is evicted. A Kubernetes quantity. Unit bytes. Default: no limit. Example 200Gi.
   */
  sizeLimit?: number | string;
  claim?: HardwareProfileSpecModelCacheClaim;
}
/**
 * claim is the PersistentVolumeClaim that each deployment gets, with type PersistentVolumeClaim. It is made once: a change here is for new deployments. Example {size: 500Gi, storageClassName: shared}.
 */
export interface HardwareProfileSpecModelCacheClaim {
  /**
   * size is how large the volume is; while a new model replaces an old one it holds both. A Kubernetes quantity. Unit bytes. Example 500Gi.
   */
  size: number | string;
  /**
   * storageClassName is the StorageClass of the volume. Default: the cluster's own. Example shared.
   */
  storageClassName?: string;
  /**
   * accessMode is ReadWriteMany (replicas on any node) or ReadWriteOnce (all on one node, which the profile's nodeSelector names by kubernetes.io/hostname). Default ReadWriteMany. Example ReadWriteMany.
   */
  accessMode?: 'ReadWriteMany' | 'ReadWriteOnce';
}
/**
 * One toleration, as in a pod.
 */
export interface HardwareProfileSpecTolerationsItem {
  /**
   * key is the key of the taint. Default every key, with operator Exists. Example nvidia.com/gpu.
   */
  key?: string;
  /**
   * operator is Exists (any value) or Equal (the value below). Default: Equal. Example Exists.
   */
  operator?: 'Exists' | 'Equal';
  /**
   * value is the value of the taint. Default empty. Example present.
   */
  value?: string;
  /**
   * effect is NoSchedule, PreferNoSchedule or NoExecute. Default every effect. Example NoSchedule.
   */
  effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  /**
   * tolerationSeconds is how long a replica stays on a node after the taint NoExecute came. Unit seconds. Default for ever. Example 300.
   */
  tolerationSeconds?: number;
}
/**
 * topologySpread spreads the replicas of a deployment over nodes or zones where that is possible. Default: absent, the scheduler decides. Example {topologyKey: topology.kubernetes.io/zone}.
 */
export interface HardwareProfileSpecTopologySpread {
  /**
   * topologyKey is the label of nodes over whose values replicas are spread. Default kubernetes.io/hostname. Example topology.kubernetes.io/zone.
   */
  topologyKey?: string;
  /**
   * maxSkew is by how many replicas two of these places may differ. Unit replicas. Default 1. Example 2.
   */
  maxSkew?: number;
}
/**
 * price is what one accelerator costs, for the cost in the status of deployments. Default: absent, no cost is shown. Example {currency: USD, perGpuHour: "1.84"}.
 */
export interface HardwareProfileSpecPrice {
  /**
   * currency is the currency by its ISO 4217 code. Example USD.
   */
  currency: string;
  /**
   * perGpuHour is the price of one accelerator for one hour, a decimal number in quotes. Example "1.84".
   */
  perGpuHour: string;
}
