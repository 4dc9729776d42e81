// Generated from crds/inferencebatches.yaml by `make generate`; do not edit.
import type { ObjectMeta } from '../../kube/types.ts';

/**
 * InferenceBatch is one batch of the OpenAI Batch API: the requests of an input file, sent to a deployment while online requests leave room for them, their answers collected in an output file. Clients make batches by POST /v1/batches; a resource made by kubectl or from Git is worked on alike.
 */
export interface InferenceBatch {
  apiVersion?: 'infer.dev/v1alpha1';
  kind?: 'InferenceBatch';
  metadata: ObjectMeta;
  spec: InferenceBatchSpec;
  status?: InferenceBatchStatus;
}
/**
 * spec is what to run, on whose behalf.
 */
export interface InferenceBatchSpec {
  /**
   * inputFileId is the id of a file of this namespace that was uploaded with the purpose batch: one request a line. Example file-0198c2f4a1b27f3c9d5e8a6b4c2d1e0f.
   */
  inputFileId: string;
  /**
   * endpoint is the route that every request of the file names as its url. Example /v1/chat/completions.
   */
  endpoint: '/v1/chat/completions' | '/v1/completions' | '/v1/embeddings';
  /**
   * apiKey is the name of an APIKey of this namespace. The requests are sent on its behalf: it must reach the deployment, and its usage grows. Example nightly-jobs.
   */
  apiKey: string;
  /**
   * completionWindow is the time from the creation of the batch after which requests that are not done are given up. Default 24h, the only value that OpenAI has. Example 24h.
   */
  completionWindow?: '24h';
  /**
   * metadata is what the client keeps with the batch, as OpenAI's metadata. Default none. Example project labels.
   */
  metadata?: {
    /**
     * One value.
     */
    [k: string]: string;
  };
  /**
   * outputExpiresAfterSeconds is how long after their creation output and error file are kept. Unit seconds. Default 2592000 (30 days). Example 86400.
   */
  outputExpiresAfterSeconds?: number;
  /**
   * cancel ends the batch: what is under way is finished, the rest is not sent, and the files hold what was done. It can't be taken back. Default false. Example true.
   */
  cancel?: boolean;
}
/**
 * status is what Infer observed; only Infer writes it.
 */
export interface InferenceBatchStatus {
  /**
   * conditions say how the batch stands. Complete is True once it is done; its reason is the state as OpenAI names it, in one word (Validating, Failed, InProgress, Finalizing, Completed, Expired, Cancelling, Cancelled): `kubectl wait --for=condition=Complete inferbatch/NAME` waits for it.
   */
  conditions?: InferenceBatchStatusConditionsItem[];
  /**
   * observedGeneration is the metadata.generation that this status was made from; a lower number than that of the metadata means that your last change has not been seen yet. Example 3.
   */
  observedGeneration?: number;
  /**
   * deployment is the InferenceDeployment that the requests go to, NAMESPACE/NAME where it is one of another namespace. Example llama-8b.
   */
  deployment?: string;
  /**
   * model is what the requests name as their model. Example llama-8b.
   */
  model?: string;
  requests?: InferenceBatchStatusRequests;
  usage?: InferenceBatchStatusUsage;
  /**
   * errors are the first things found wrong with the input file; GET /v1/batches/ID has all of them.
   */
  errors?: InferenceBatchStatusErrorsItem[];
  /**
   * errorCount is how many things were found wrong with the input file. Unit errors. Example 3.
   */
  errorCount?: number;
  /**
   * outputFileId is the file with the answers, once the batch has ended and where there are any. Example file-0198c2f4a1b27f3c9d5e8a6b4c2d1e0f.
   */
  outputFileId?: string;
  /**
   * errorFileId is the file with the requests that failed, once the batch has ended and where there are any. Example file-0198c2f4a1b27f3c9d5e8a6b4c2d1e0f.
   */
  errorFileId?: string;
  /**
   * neededReplicas is how many replicas the deployment needs for the batch to be done within its window, as the scaler is asked for; at least 1 while there is work. Unit replicas. Example 2.
   */
  neededReplicas?: number;
  /**
   * inProgressAt is when the input was found good and the work began. Example "2026-11-22T10:00:00Z".
   */
  inProgressAt?: string;
  /**
   * expiresAt is the end of the completion window. Example "2026-11-23T10:00:00Z".
   */
  expiresAt?: string;
  /**
   * finalizingAt is when the files began to be put together. Example "2026-11-22T12:00:00Z".
   */
  finalizingAt?: string;
  /**
   * completedAt is when the batch was done. Example "2026-11-22T12:00:00Z".
   */
  completedAt?: string;
  /**
   * failedAt is when the input was refused. Example "2026-11-22T12:00:00Z".
   */
  failedAt?: string;
  /**
   * expiredAt is when the window was over before the work was. Example "2026-11-23T10:00:00Z".
   */
  expiredAt?: string;
  /**
   * cancellingAt is when the batch began to be cancelled. Example "2026-11-22T12:00:00Z".
   */
  cancellingAt?: string;
  /**
   * cancelledAt is when the batch was cancelled. Example "2026-11-22T12:00:00Z".
   */
  cancelledAt?: string;
}
/**
 * One condition.
 */
export interface InferenceBatchStatusConditionsItem {
  /**
   * type is the name of the condition. Example Complete.
   */
  type: string;
  /**
   * status is True, False or Unknown. Example True.
   */
  status: 'True' | 'False' | 'Unknown';
  /**
   * reason is one word for why the condition has this status. Example InProgress.
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
 * requests counts the requests of the input file. It is written at most every 10 s.
 */
export interface InferenceBatchStatusRequests {
  /**
   * total is how many requests the input file has. Unit requests. Example 50000.
   */
  total: number;
  /**
   * completed is how many were answered. Unit requests. Example 1200.
   */
  completed: number;
  /**
   * failed is how many ended in an error. Unit requests. Example 3.
   */
  failed: number;
}
/**
 * usage is the sum of the tokens of the answers.
 */
export interface InferenceBatchStatusUsage {
  /**
   * promptTokens is the tokens of prompts. Unit tokens. Example 120000.
   */
  promptTokens: number;
  /**
   * cachedTokens is those of them that were served from a cache. Unit tokens. Example 8000.
   */
  cachedTokens: number;
  /**
   * completionTokens is the tokens of answers. Unit tokens. Example 48000.
   */
  completionTokens: number;
}
/**
 * One error.
 */
export interface InferenceBatchStatusErrorsItem {
  /**
   * code is one word for what is wrong, as OpenAI has it. Example duplicate_custom_id.
   */
  code: string;
  /**
   * message is a sentence that says what is wrong.
   */
  message: string;
  /**
   * param is the field concerned. Example body.model.
   */
  param?: string;
  /**
   * line is the line of the input file, the first is 1. Unit lines. Example 12.
   */
  line?: number;
}
