// Generated from crds/inferencedeployments.yaml by `make generate`; do not edit.
import type { ObjectMeta } from '../../kube/types.ts';

/**
 * InferenceDeployment runs one language model with vLLM on reserved GPUs. Infer starts the replicas, keeps them running and reports in the status whether they serve and, if not, why and what to do.
 */
export interface InferenceDeployment {
  apiVersion?: 'infer.dev/v1alpha1';
  kind?: 'InferenceDeployment';
  metadata: ObjectMeta;
  spec: InferenceDeploymentSpec;
  status?: InferenceDeploymentStatus;
}
/**
 * spec is what you want to run.
 */
export interface InferenceDeploymentSpec {
  model: InferenceDeploymentSpecModel;
  /**
   * hardwareProfile is the HardwareProfile that each replica runs on; `kubectl get hardwareprofiles -n infer-system` lists those of your platform team. Default gpu.a100 (one A100 per replica). Example gpu.a100.4 (four A100 per replica).
   */
  hardwareProfile?: string;
  /**
   * minReplicas is the fewest replicas that run. 0 lets the deployment go to zero after scaling.idleSeconds without work; the next request waits while a replica starts. Unit replicas. Default 1. Example 2.
   */
  minReplicas?: number;
  /**
   * maxReplicas is the most replicas that run, at least minReplicas; above it Infer scales by load between the two. Unit replicas. Default: as many as minReplicas, and at least 1. Example 3.
   */
  maxReplicas?: number;
  scaling?: InferenceDeploymentSpecScaling;
  engine?: InferenceDeploymentSpecEngine;
  /**
   * adapters are LoRA adapters (PEFT's format, as safetensors) that each replica serves beside the model; clients send DEPLOYMENT:NAME as `model`. A change starts new replicas. Up to 8 take part in one batch, where nothing is looked up beforehand of ranks up to 64; a hardware profile changes that by --max-loras and --max-lora-rank among its args. Default none. Example [{name: sql, id: my-org/lora-sql}].
   */
  adapters?: InferenceDeploymentSpecAdaptersItem[];
  /**
   * aliases are further names that clients may send as `model`. In a namespace the name of a deployment comes before an alias, and of deployments with one alias the oldest has it; the others say NameConflict in their conditions and take no change until they drop it. Default none. Example [llama].
   *
   * Items: One alias.
   */
  aliases?: string[];
  /**
   * allowKeysFrom are namespaces whose API keys may also call this deployment; their clients send NAMESPACE/NAME as `model`. To all others it does not exist. Default none: only keys of its own namespace. Example [team-b].
   *
   * Items: Name of one namespace.
   */
  allowKeysFrom?: string[];
  /**
   * startupTimeoutSeconds is how long a replica may take from the start of its container until it serves, loading included, before it counts as failed and is started again. Unit seconds. Default 3600. Example 7200.
   */
  startupTimeoutSeconds?: number;
  /**
   * drainTimeoutSeconds is how long a replica that is removed may finish the requests it is working on; 0 cuts them off. Unit seconds. Default 120. Example 600.
   */
  drainTimeoutSeconds?: number;
  /**
   * holdTimeoutSeconds is how long a request that does not stream waits while no replica is ready; proxies in front of Infer often end a request after 60 seconds without an answer. Unit seconds. Default 50. Example 25.
   */
  holdTimeoutSeconds?: number;
  /**
   * podLabels are added to the labels of every replica's pod, for example for cost reports. Names with a prefix are not supported by this version of Infer yet. Default none. Example {cost-center: ml-42}.
   */
  podLabels?: {
    /**
     * Value of one label.
     */
    [k: string]: string;
  };
  /**
   * restartedAt rolls all replicas out again when it changes, and takes what status.update says is newer. Write the present time. Default: absent. Example "2026-11-22T10:00:00Z".
   */
  restartedAt?: string;
  /**
   * suspend stops all replicas and keeps the resource; false starts them again. Default false. Example true.
   */
  suspend?: boolean;
}
/**
 * model says which model to serve and where it comes from: `id` (Hugging Face) or `claim` (a volume that already holds it), exactly one of them.
 */
export interface InferenceDeploymentSpecModel {
  /**
   * id is the model's name on Hugging Face, as ORGANISATION/NAME. No default; leave it out with `claim`. Example meta-llama/Llama-3.1-8B-Instruct.
   */
  id?: string;
  /**
   * revision is the branch, tag or commit of the model. A branch or tag is resolved to a commit once, before the first replica starts, and again when revision or restartedAt changes. Default: the branch main. Example 0e9e39f249a16976918f6564b8830bc894c89659.
   */
  revision?: string;
  tokenSecretRef?: InferenceDeploymentSpecModelTokenSecretRef;
  claim?: InferenceDeploymentSpecModelClaim;
}
/**
 * tokenSecretRef names a Secret in this namespace with the Hugging Face token for a gated or private model. Only the download step reads it, never the serving container. No default; a public model needs none. Example {name: hf-token, key: token}.
 */
export interface InferenceDeploymentSpecModelTokenSecretRef {
  /**
   * name is the name of the Secret. Example hf-token.
   */
  name: string;
  /**
   * key is the key in the Secret's data that holds the token. Default token. Example token.
   */
  key?: string;
}
/**
 * claim names a PersistentVolumeClaim in this namespace that already holds the model, for clusters that cannot reach Hugging Face. It is mounted read-only. No default; leave it out with `id`. Example {name: weights, path: llama-8b}.
 */
export interface InferenceDeploymentSpecModelClaim {
  /**
   * name is the name of the PersistentVolumeClaim. Example weights.
   */
  name: string;
  /**
   * path is the folder in the volume that holds config.json and the weights, relative to the root of the volume. Default: the root of the volume. Example llama-8b.
   */
  path?: string;
}
/**
 * scaling holds the targets by which Infer chooses the number of replicas between minReplicas and maxReplicas. No other autoscaler may write the same Deployment.
 */
export interface InferenceDeploymentSpecScaling {
  /**
   * targetRps is how many requests per second one replica is expected to serve within targetLatencyP95Ms. It is what Infer goes by until it has learned from some hundred requests what a replica can do; then that goes before it. Where requests queue in the replicas meanwhile, a replica is taken for four fifths of what it gets done, if that is less. Unit requests per second and replica; fractions are fine. Default 10. Example 2.5.
   */
  targetRps?: number;
  /**
   * targetLatencyP95Ms is the end-to-end latency that 95 of 100 requests should stay below. Unit milliseconds. Default 5000. Example 8000.
   */
  targetLatencyP95Ms?: number;
  /**
   * stabilizationWindowSeconds is how long load must have been lower before replicas are removed. Unit seconds. Default 300. Example 600.
   */
  stabilizationWindowSeconds?: number;
  /**
   * idleSeconds is how long a deployment with minReplicas 0 must be without work before its last replica is removed. Unit seconds. Default 600. Example 1800.
   */
  idleSeconds?: number;
}
/**
 * engine holds settings of vLLM. What is absent comes from the CatalogModel of this model where there is one, else from the hardware profile, else it is vLLM's own default. Other vLLM arguments are set by your platform team in the HardwareProfile.
 */
export interface InferenceDeploymentSpecEngine {
  /**
   * maxModelLen is the longest context, prompt and answer together. A lower value needs less GPU memory. Unit tokens. Default: the model's own limit. Example 8192.
   */
  maxModelLen?: number;
  /**
   * maxNumSeqs is how many requests one replica works on at the same time; further ones wait. Unit requests. Default: vLLM's own. Example 256.
   */
  maxNumSeqs?: number;
  /**
   * gpuMemoryUtilizationPercent is the share of each GPU's memory that vLLM takes for weights and KV cache. Unit percent. Default: vLLM's own (92). Example 90.
   */
  gpuMemoryUtilizationPercent?: number;
  /**
   * dtype is the number format of weights and activations: auto, half, float16, bfloat16, float or float32. Default auto (as the model's config says). Example bfloat16.
   */
  dtype?: string;
  /**
   * quantization is the method by which the weights are stored or loaded in fewer bits, by vLLM's name. Default: as the model's config says. Example fp8.
   */
  quantization?: string;
  /**
   * toolCallParser is the vLLM parser that turns the model's output into tool calls; setting it turns tool calls on. Default: none, tool calls are off. Example llama3_json.
   */
  toolCallParser?: string;
  /**
   * reasoningParser is the vLLM parser that separates the model's reasoning from its answer. Default: none, reasoning stays part of the answer. Example deepseek_r1.
   */
  reasoningParser?: string;
}
/**
 * One LoRA adapter.
 */
export interface InferenceDeploymentSpecAdaptersItem {
  /**
   * name is what clients send after the colon; it differs from the deployment's name and aliases. Example sql.
   */
  name: string;
  /**
   * id is the adapter's name on Hugging Face, as ORGANISATION/NAME; the token of the model is used for it, too. No default; leave it out where the model comes from a claim. Example my-org/lora-sql.
   */
  id?: string;
  /**
   * revision is the branch, tag or commit of the adapter. Default: the branch main. Example v1.0.
   */
  revision?: string;
  /**
   * path is the folder that holds adapter_config.json and adapter_model.safetensors in the volume of model.claim, relative to the root of the volume. No default; leave it out where the model comes from Hugging Face. Example loras/sql.
   */
  path?: string;
}
/**
 * status is what Infer observed; only Infer writes it.
 */
export interface InferenceDeploymentStatus {
  /**
   * conditions say whether the deployment serves and, if not, why and what to do. Ready is the summary: `kubectl wait --for=condition=Ready infer/NAME` waits for it.
   */
  conditions?: InferenceDeploymentStatusConditionsItem[];
  /**
   * observedGeneration is the metadata.generation that this status was made from; a lower number than that of the metadata means that your last change has not been seen yet. Example 3.
   */
  observedGeneration?: number;
  endpoint?: InferenceDeploymentStatusEndpoint;
  model?: InferenceDeploymentStatusModel;
  replicas?: InferenceDeploymentStatusReplicas;
  scaling?: InferenceDeploymentStatusScaling;
  cost?: InferenceDeploymentStatusCost;
  usage?: InferenceDeploymentStatusUsage;
  update?: InferenceDeploymentStatusUpdate;
}
/**
 * One condition.
 */
export interface InferenceDeploymentStatusConditionsItem {
  /**
   * type is the name of the condition. Example Ready.
   */
  type: string;
  /**
   * status is True, False or Unknown. Example True.
   */
  status: 'True' | 'False' | 'Unknown';
  /**
   * reason is one word for why the condition has this status. Example Serving.
   */
  reason: string;
  /**
   * message is a sentence that names the object concerned and the next step.
   */
  message: string;
  /**
   * lastTransitionTime is when the status last changed. Example "2026-11-22T10:00:00Z".
   */
  lastTransitionTime: string;
  /**
   * observedGeneration is the metadata.generation that this condition was judged from. Example 3.
   */
  observedGeneration?: number;
}
/**
 * endpoint is where OpenAI clients reach the deployment.
 */
export interface InferenceDeploymentStatusEndpoint {
  /**
   * baseUrl is what a client takes as its base URL. Example https://infer.example.com/v1.
   */
  baseUrl?: string;
  /**
   * model is what a client sends as `model`. Example llama-8b.
   */
  model?: string;
}
/**
 * model is what was found out about the model.
 */
export interface InferenceDeploymentStatusModel {
  /**
   * commit is the commit that `revision` was resolved to. Example 0e9e39f249a16976918f6564b8830bc894c89659.
   */
  commit?: string;
  /**
   * weightBytes is the size of the weights. Unit bytes. Example 16060556376.
   */
  weightBytes?: number;
  /**
   * float32Bytes is how much of the weights are floats of 32 bits, which take half of it once they are loaded; absent where that is not known. Unit bytes. Example 0.
   */
  float32Bytes?: number;
  /**
   * contextLength is the longest context that the model was made for. Unit tokens. Example 131072.
   */
  contextLength?: number;
  /**
   * gated says whether the model needs a token of an account that was given access. Example true.
   */
  gated?: boolean;
  /**
   * license is the licence that the model's page names. Example llama3.1.
   */
  license?: string;
  /**
   * architecture is the class that runs the model, by its name in Transformers. Example LlamaForCausalLM.
   */
  architecture?: string;
  /**
   * quantization is how the weights at the hub are quantized; absent where they are not. Example awq.
   */
  quantization?: string;
  /**
   * dtype is the number format of the weights at the hub. Example bfloat16.
   */
  dtype?: string;
  attention?: InferenceDeploymentStatusModelAttention;
  /**
   * adapters are what was found out about the LoRA adapters.
   */
  adapters?: InferenceDeploymentStatusModelAdaptersItem[];
  /**
   * specHash stands for the fields of spec that this was found out for: model.id, model.revision, adapters and restartedAt. While they stay, every replica gets the commits above. Example 5f1d3c0a9b7e2468.
   */
  specHash?: string;
  /**
   * downloadedPercent is how much of the model has been downloaded for the replica that starts, in steps of 10. Unit percent. Example 70.
   */
  downloadedPercent?: number;
}
/**
 * attention is what the size of the model's KV cache follows from; absent where it follows from more than this.
 */
export interface InferenceDeploymentStatusModelAttention {
  /**
   * layers is the number of layers. Unit layers. Example 32.
   */
  layers: number;
  /**
   * kvHeads is the number of heads of each layer that keep keys and values. Unit heads. Example 8.
   */
  kvHeads: number;
  /**
   * headDim is the size of one head. Unit numbers. Example 128.
   */
  headDim: number;
}
/**
 * One adapter.
 */
export interface InferenceDeploymentStatusModelAdaptersItem {
  /**
   * name is its name in spec.adapters. Example sql.
   */
  name: string;
  /**
   * commit is the commit that its revision was resolved to. Example 0e9e39f249a16976918f6564b8830bc894c89659.
   */
  commit: string;
  /**
   * rank is the rank of its matrices. Unit dimensions. Example 16.
   */
  rank: number;
}
/**
 * replicas counts the replicas by what they do.
 */
export interface InferenceDeploymentStatusReplicas {
  /**
   * desired is how many replicas Infer wants to run now. Unit replicas. Example 3.
   */
  desired?: number;
  /**
   * ready is how many replicas answer requests. Unit replicas. Example 2.
   */
  ready?: number;
  /**
   * starting is how many replicas wait for a node, download or load. Unit replicas. Example 1.
   */
  starting?: number;
  /**
   * draining is how many replicas finish their last requests. Unit replicas. Example 0.
   */
  draining?: number;
  /**
   * drainingPods are the UIDs of the pods that were chosen to go with the next scale-down: gateways send them nothing new, and they go when their last request is answered. Example [3f1c0a52-6a0e-4a0e-9d53-0c5b7e0f7a11].
   *
   * Items: The UID of one pod.
   */
  drainingPods?: string[];
  /**
   * failed is how many replicas cannot run as they are. Unit replicas. Example 0.
   */
  failed?: number;
  /**
   * pods are the replicas one by one, at most 64: first those that cannot run, then those that start, leave and answer.
   */
  pods?: InferenceDeploymentStatusReplicasPodsItem[];
}
/**
 * One replica.
 */
export interface InferenceDeploymentStatusReplicasPodsItem {
  /**
   * name is the name of the pod. Example infer-llama-8b-6c9d7b5f4-x2x7q.
   */
  name: string;
  /**
   * uid is the UID of the pod. Example 3f1c0a52-6a0e-4a0e-9d53-0c5b7e0f7a11.
   */
  uid?: string;
  /**
   * readiness is Ready, Starting, Draining or Failed, as the counts beside this list have it. Example Ready.
   */
  readiness: string;
  /**
   * reason is why a replica that is not ready is not, by the reasons of the conditions; absent of one that is. Example Loading.
   */
  reason?: string;
  /**
   * node is the node that it runs on; absent before it has one. Example gpu-node-3.
   */
  node?: string;
  /**
   * since is when it was given its node, or was created where it has none. Example "2026-11-22T10:00:00Z".
   */
  since?: string;
}
/**
 * scaling is the last decision on the number of replicas and what it was made from.
 */
export interface InferenceDeploymentStatusScaling {
  /**
   * desiredReplicas is the number of replicas decided on. Unit replicas. Example 3.
   */
  desiredReplicas?: number;
  /**
   * reason is one word for what decides the number of replicas now. Example AtMax.
   */
  reason?: string;
  /**
   * message is the decision as a sentence.
   */
  message?: string;
  /**
   * requestsPerSecond is the rate of requests over all replicas, a decimal number rounded to two digits. Unit requests per second. Example "9.4".
   */
  requestsPerSecond?: string;
  /**
   * latencyP95Ms is the end-to-end latency that 95 of 100 requests stayed below, rounded to two digits. Unit milliseconds. Example 3200.
   */
  latencyP95Ms?: number;
  /**
   * lastScaleTime is when the number of replicas last changed. Example "2026-11-22T10:00:00Z".
   */
  lastScaleTime?: string;
  learned?: InferenceDeploymentStatusScalingLearned;
  /**
   * recent are the last changes of the number of replicas, the newest first; at most 5.
   */
  recent?: InferenceDeploymentStatusScalingRecentItem[];
}
/**
 * learned is what Infer has measured of one replica of this deployment under load, and what late requests have taught it; it decides by that. Kept here so that it outlives a restart of the operator; written only when something changed notably, by a tenth for most. Absent until something was measured.
 */
export interface InferenceDeploymentStatusScalingLearned {
  /**
   * key stands for the model, hardware profile and engine settings that it was learned of; for others it is learned anew. Example 5f1d3c0a9b.
   */
  key?: string;
  /**
   * requestsPerSecond is how many requests one replica serves within the latency target, a decimal number. Unit requests per second and replica. Example "3.7".
   */
  requestsPerSecond?: string;
  /**
   * promptTokensPerSecond is how many tokens of prompts one replica takes in within the latency target, a decimal number. Unit tokens per second and replica. Example "4100".
   */
  promptTokensPerSecond?: string;
  /**
   * outputTokensPerSecond is how many tokens one replica generates within the latency target, a decimal number. Unit tokens per second and replica. Example "870".
   */
  outputTokensPerSecond?: string;
  /**
   * concurrency is how many requests one replica may have in flight within the latency target, a decimal number. Unit requests per replica. Example "24.5".
   */
  concurrency?: string;
  /**
   * samples is how many requests this was learned from, newer ones weighing more, up to 500. The fewer, the more spec.scaling.targetRps counts beside it. Unit requests. Example 350.
   */
  samples?: number;
  /**
   * tokenBaseMs is how long each token of an answer takes whatever else the replica does, a decimal number. Unit milliseconds per token. Example "8.5".
   */
  tokenBaseMs?: string;
  /**
   * tokenPerRequestMs is how much longer each request makes it that the replica works on at the same time, a decimal number. Unit milliseconds per token and request. Example "0.24".
   */
  tokenPerRequestMs?: string;
  /**
   * unloadedMeanMs is how long a request takes on average that has a replica to itself. Unit milliseconds. Example 810.
   */
  unloadedMeanMs?: number;
  /**
   * unloadedP95Ms is what 95 of 100 such requests stay below; a latency target below it cannot be had by more replicas. Unit milliseconds. Example 1900.
   */
  unloadedP95Ms?: number;
  /**
   * loadSeconds is how long a replica takes from having a node to serving. Unit seconds. Example 95.
   */
  loadSeconds?: number;
  /**
   * targetLatencyP95Ms is the latency target by which the requests below were late; where the spec has another one, they count for nothing. Unit milliseconds. Example 5000.
   */
  targetLatencyP95Ms?: number;
  /**
   * recentRequests is how many requests all replicas completed in the hour or so before recentTime, older ones weighing less. Unit requests. Example 41000.
   */
  recentRequests?: number;
  /**
   * recentLateRequests is how many of them took longer than the latency target. While they are less than 4.5 %, no replica is bought for what may still be late. Unit requests. Example 1600.
   */
  recentLateRequests?: number;
  /**
   * recentSeconds is the time that recentRequests counts, older parts of it weighing less. Unit seconds. Example 4900.
   */
  recentSeconds?: number;
  /**
   * recentTime is when they were looked at. Example "2026-11-22T10:00:00Z".
   */
  recentTime?: string;
  /**
   * holdSeconds is how long replicas are kept after the load needed them last, because some were missed soon after they had been let go; it fades over days. Unit seconds. Absent where none were. Example 780.
   */
  holdSeconds?: number;
  /**
   * holdReplicas is how many are kept so. Unit replicas. Absent while the load needs about as many. Example 6.
   */
  holdReplicas?: number;
  /**
   * holdTime is when the load needed most of them last. Example "2026-11-22T10:00:00Z".
   */
  holdTime?: string;
  /**
   * surgeRequestsPerSecond is the rate of a rise that made too many requests late before other replicas had started, a decimal number. Replicas are kept for the next one like it, unless that is more than five times what comes on average. Unit requests per second. Absent where there was none. Example "40".
   */
  surgeRequestsPerSecond?: string;
  /**
   * surgeLateRequests is how many requests that rise made late. Unit requests. Example 900.
   */
  surgeLateRequests?: number;
  /**
   * surgeTime is when about as many requests came last; replicas are kept for two hours from then, at most. Example "2026-11-22T10:00:00Z".
   */
  surgeTime?: string;
  /**
   * carriedPercent is what share of requestsPerSecond replicas are let go by within two hours of carriedTime, because those that were left then carried no more. Unit percent. Absent where it is all of it. Example 85.
   */
  carriedPercent?: number;
  /**
   * carriedTime is when that was found. Example "2026-11-22T10:00:00Z".
   */
  carriedTime?: string;
}
/**
 * One change of the number of replicas.
 */
export interface InferenceDeploymentStatusScalingRecentItem {
  /**
   * time is when it was decided. Example "2026-11-22T10:00:00Z".
   */
  time: string;
  /**
   * from is the number of replicas before. Unit replicas. Example 2.
   */
  from: number;
  /**
   * to is the number of replicas after. Unit replicas. Example 3.
   */
  to: number;
  /**
   * reason is one word for why. Example Latency.
   */
  reason: string;
  /**
   * message is the decision as a sentence.
   */
  message?: string;
}
/**
 * cost is what the replicas cost by the price in the hardware profile; absent without a price.
 */
export interface InferenceDeploymentStatusCost {
  /**
   * currency is the currency of the amounts, by its ISO 4217 code. Example USD.
   */
  currency?: string;
  /**
   * perHour is the price per hour of the replicas that run now, a decimal number. Example "7.36".
   */
  perHour?: string;
  /**
   * perGpuHour is the price of one accelerator for one hour in the hardware profile, a decimal number; a replica without accelerators counts as one. Example "1.84".
   */
  perGpuHour?: string;
  /**
   * perMillionTokens is the price of a million generated tokens at the present load, a decimal number. Example "0.42".
   */
  perMillionTokens?: string;
}
/**
 * usage is a checkpoint of the time that replicas have run. A reader adds replicasSince times the time since asOf.
 */
export interface InferenceDeploymentStatusUsage {
  /**
   * replicaSeconds is the sum over all replicas of the time from scheduled to ended, until asOf. Unit seconds. Example 86400.
   */
  replicaSeconds?: number;
  /**
   * gpuSeconds is the same sum with each replica counted as often as it has GPUs. Unit seconds. Example 345600.
   */
  gpuSeconds?: number;
  /**
   * asOf is the time up to which the sums are complete. Example "2026-11-22T10:00:00Z".
   */
  asOf?: string;
  /**
   * replicasSince is how many replicas have been running since asOf. Unit replicas. Example 3.
   */
  replicasSince?: number;
  /**
   * running are the replicas of replicasSince, so that the end of each is counted once, whoever sees it. Their GPUs together, times the time since asOf, are what a reader adds to gpuSeconds.
   */
  running?: InferenceDeploymentStatusUsageRunningItem[];
}
/**
 * One replica that had not ended at asOf, as far as was known.
 */
export interface InferenceDeploymentStatusUsageRunningItem {
  /**
   * uid is the UID of the pod. Example 3f1c0a52-6a0e-4a0e-9d53-0c5b7e0f7a11.
   */
  uid: string;
  /**
   * gpus are the accelerators that the pod has. Unit accelerators. Example 4.
   */
  gpus: number;
}
/**
 * update says that Infer would make other pods now than those that run, which stay as they are; set spec.restartedAt to take what is new. Absent where there is nothing newer.
 */
export interface InferenceDeploymentStatusUpdate {
  /**
   * available is true when there is something newer. Example true.
   */
  available?: boolean;
  /**
   * reasons are what is newer: HardwareProfile or CatalogModel (it was edited), InferVersion (Infer was upgraded), InstallSettings (the hub or the proxy of this install changed), or Unknown (the ControllerRevision that told was deleted). WaitingForTurn says that the profile's rollout is Auto and that another deployment of the profile takes it first. Example [HardwareProfile].
   *
   * Items: One word for one thing that is newer.
   */
  reasons?: string[];
}
