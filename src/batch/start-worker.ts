/** The worker, put together for a pod. */
import type { InferenceBatch } from '../api/generated/inference-batch.ts';
import { channelAgent } from '../channel/http-client.ts';
import type { ChannelEnd } from '../channel/handshake.ts';
import type { KubeClient } from '../kube/client.ts';
import { EventRecorder } from '../kube/events.ts';
import type { Informer } from '../kube/informer.ts';
import type { Logger } from '../kube/types.ts';
import type { PodIdentity } from '../process/pod-identity.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { FileRepository } from './files/file-repository.ts';
import { transitionRecorder } from './record-events.ts';
import { HttpGateways } from './worker/gateways.ts';
import { batchResources, leaseClaims } from './worker/kube-access.ts';
import { createWorker } from './worker/worker.ts';

/** Less than a gateway takes from one address (src/channel/http-server.ts), so that none is refused while others end. */
const MAX_CONNECTIONS = 768;
const MAX_QUESTIONS = 4;

export interface WorkerParts {
  readonly client: KubeClient;
  readonly informer: Informer<InferenceBatch>;
  readonly store: ObjectStore;
  readonly files: FileRepository;
  readonly pod: PodIdentity;
  /** What this process shows the gateways. */
  readonly end: ChannelEnd;
  readonly gatewayAddress: { readonly host: string; readonly port: number };
  readonly logger: Logger;
}

/** Starts the worker, for which the informer must be synced; returns how to stop it within some milliseconds. */
export function startWorker(parts: WorkerParts): (graceMs: number) => Promise<void> {
  const { client, informer, store, files, pod, end, gatewayAddress, logger } = parts;
  const events = new EventRecorder({
    client,
    reportingController: 'infer.dev/batch',
    reportingInstance: pod.name,
    logger,
  });
  const recordTransition = transitionRecorder(events);
  const noteWrite = (batch: InferenceBatch): void => {
    recordTransition(informer.get(batch.metadata), batch);
    informer.noteWrite(batch);
  };
  const dispatcher = channelAgent(end, { maxConnectionsPerOrigin: MAX_CONNECTIONS });
  const questions = channelAgent(end, { maxConnectionsPerOrigin: MAX_QUESTIONS });
  const worker = createWorker({
    batches: informer,
    resources: batchResources(client, noteWrite),
    claims: leaseClaims({ client, namespace: pod.namespace, identity: `${pod.name}_${pod.uid}`, noteWrite, logger }),
    store,
    files,
    gateways: new HttpGateways({ dispatcher, questions, address: gatewayAddress, logger }),
    logger,
  });
  worker.start();
  return async (graceMs) => {
    await worker.stop(graceMs);
    await events.stop();
    await Promise.all([dispatcher.destroy(), questions.destroy()]);
  };
}
