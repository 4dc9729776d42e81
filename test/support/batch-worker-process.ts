/**
 * The worker of batches as a process of its own: on a real API server and a folder, and with gateways on plain HTTP, since
 * there is no pod whose token they could believe.
 */
import { KubeConfig } from '@kubernetes/client-node';
import { pino } from 'pino';
import { Agent } from 'undici';
import { Registry } from 'prom-client';
import { FileRepository } from '../../src/batch/files/file-repository.ts';
import { createBatchInformer } from '../../src/batch/informer.ts';
import { HttpGateways } from '../../src/batch/worker/gateways.ts';
import { batchResources, leaseClaims } from '../../src/batch/worker/kube-access.ts';
import { createWorker } from '../../src/batch/worker/worker.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { KubeMetrics } from '../../src/kube/metrics.ts';
import { openFolderStore } from '../../src/store/folder-store.ts';

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`Set ${name}.`);
  return value;
}

const logger = pino();
const kubeConfig = new KubeConfig();
kubeConfig.loadFromDefault();
const client = KubeClient.fromKubeConfig(kubeConfig);
const namespace = setting('TEST_NAMESPACE');
const metrics = new KubeMetrics({ registry: new Registry(), prefix: 'infer_' });
const informer = createBatchInformer({ client, watchNamespace: namespace, relistIntervalMs: 600_000, logger, metrics });
informer.start();
await informer.synced();
const store = await openFolderStore(setting('TEST_FOLDER'));
const noteWrite = informer.noteWrite.bind(informer);
createWorker({
  batches: informer,
  resources: batchResources(client, noteWrite),
  claims: leaseClaims({ client, namespace, identity: setting('TEST_IDENTITY'), noteWrite, logger }),
  store,
  files: new FileRepository(store, logger),
  gateways: new HttpGateways({
    dispatcher: new Agent(),
    questions: new Agent(),
    address: { host: '127.0.0.1', port: Number(setting('TEST_GATEWAY_PORT')) },
    logger,
  }),
  logger,
}).start();
