// Generated from crds/catalogmodels.yaml by `make generate`; do not edit.
import type { ObjectMeta } from '../../kube/types.ts';

/**
 * CatalogModel is a model that the platform team recommends, with the hardware profile and engine settings that suit it. The catalogue lives in Infer's own namespace. A deployment of the model takes the engine settings that it does not set itself from here.
 */
export interface CatalogModel {
  apiVersion?: 'infer.dev/v1alpha1';
  kind?: 'CatalogModel';
  metadata: ObjectMeta;
  spec: CatalogModelSpec;
}
/**
 * spec is what the platform team says about the model.
 */
export interface CatalogModelSpec {
  /**
   * modelId is the model's name on Hugging Face, as ORGANISATION/NAME. Example meta-llama/Llama-3.1-8B-Instruct.
   */
  modelId: string;
  /**
   * description says what the model is good for, in a sentence or two. Default empty. Example General chat in eight languages.
   */
  description?: string;
  /**
   * contextLength is the longest context that the model was made for. Unit tokens. Default: not said. Example 131072.
   */
  contextLength?: number;
  /**
   * license is the licence as the model page names it. Default: not said. Example apache-2.0.
   */
  license?: string;
  /**
   * gated says whether the download needs a token of an account that was given access. Default false. Example true.
   */
  gated?: boolean;
  /**
   * hardwareProfile is the recommended HardwareProfile, for people to choose by. Default: none. Example gpu.a100.
   */
  hardwareProfile?: string;
  engine?: CatalogModelSpecEngine;
  remoteCode?: CatalogModelSpecRemoteCode;
}
/**
 * engine holds recommended settings of vLLM, the same fields as in an InferenceDeployment; what a deployment sets itself wins. Default none. Example {maxModelLen: 8192}.
 */
export interface CatalogModelSpecEngine {
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
 * remoteCode allows the Python code in the model's repository to run, at one reviewed commit. Default: absent, no such code runs. It is not supported by this version of Infer yet. Example {revision: 0e9e39f249a16976918f6564b8830bc894c89659}.
 */
export interface CatalogModelSpecRemoteCode {
  /**
   * revision is the full commit that was reviewed; a branch or tag could change. Example 0e9e39f249a16976918f6564b8830bc894c89659.
   */
  revision: string;
}
