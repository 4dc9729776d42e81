/** An API server, one simulated engine, a gateway and the batch process, each a process of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { APIKeySpec } from '../../src/api/generated/api-key.ts';
import { startControlPlane } from '../../test/cluster/control-plane.ts';
import { freePorts } from '../../test/cluster/free-ports.ts';
import { createApiKey } from '../../test/support/api-key.ts';
import { BatchProcess } from '../../test/support/batch-process.ts';
import { ownAddress, writeEndpoints } from '../../test/support/endpoints.ts';
import { eventually } from '../../test/support/eventually.ts';
import { clientOf, createNamespace } from '../../test/support/kube.ts';
import { GatewayProcess } from '../../test/support/gateway-process.ts';
import { createAccounts, createBatchPod, createGatewayPod } from '../../test/support/process-pods.ts';
import { installApi } from '../../test/support/product.ts';
import { createDeployment } from '../../test/support/scenario.ts';
import { spawnSimulator } from '../../test/vllm-sim/child.ts';

export const MODEL = 'chat';

export interface BatchBed {
  /** Base URL for clients, with /v1. */
  baseUrl: string;
  key: string;
  /** Origin of the engine. */
  engine: string;
  gatewayPid: number | undefined;
  batchPid: number | undefined;
  enginePid: number | undefined;
}

export interface EngineShape {
  /** Requests that it works on together. */
  seats: number;
  environment: Record<string, string>;
}

/** Calls `use` with a bed, and ends its processes afterwards; returns its result. */
export async function withBed<Result>(
  { seats, environment }: EngineShape,
  progress: (line: string) => void,
  use: (bed: BatchBed) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'infer-bench-batch-'));
  const ends: (() => Promise<unknown>)[] = [async () => await rm(folder, { recursive: true, force: true })];
  try {
    const controlPlane = await startControlPlane({ progress });
    ends.push(async () => await controlPlane.stop());
    const { kubeconfig, kubectl } = controlPlane;
    const client = clientOf(kubeconfig);
    ends.push(async () => await client.close());
    await installApi(client, kubeconfig, kubectl);
    await createAccounts(client);
    const namespace = await createNamespace(client, 'bench');
    const scopes: APIKeySpec['scopes'] = ['inference', 'files'];
    const key = await createApiKey(client, namespace, 'bench', { scopes });
    const flags = ['--model', 'org/model', '--served-model-name', MODEL, '--max-num-seqs', String(seats)];
    const simulator = spawnSimulator([...flags, '--host', ownAddress()], environment);
    ends.push(async () => {
      simulator.child.kill('SIGKILL');
      await simulator.ended;
    });
    const port = Number(new URL(await simulator.ready()).port);
    const resource = await createDeployment(client, namespace, MODEL);
    await writeEndpoints(client, resource, [{ podUid: 'pod-1', port }]);
    const [channelPort = 0, internalPort = 0, batchPort = 0] = await freePorts(3, '127.0.0.1');
    const batchEnvironment = {
      ...(await createBatchPod(client, 'bench-batch', '127.0.0.1')),
      INFER_BATCH_PORT: String(batchPort),
      INFER_GATEWAY_ADDRESS: `127.0.0.1:${internalPort}`,
    };
    const batch = BatchProcess.start(kubeconfig, folder, batchEnvironment, bundle('batch'));
    ends.push(async () => await batch.end());
    const gatewayEnvironment = {
      ...(await createGatewayPod(client, 'bench-gateway', '127.0.0.1')),
      INFER_CHANNEL_PORT: String(channelPort),
      INFER_INTERNAL_PORT: String(internalPort),
      INFER_BATCH_ADDRESS: `127.0.0.1:${batchPort}`,
    };
    const gateway = GatewayProcess.start(kubeconfig, gatewayEnvironment, bundle('gateway'));
    ends.push(async () => await gateway.end());
    const baseUrl = `${await gateway.serving()}/v1`;
    await batch.serving();
    const headers = { authorization: `Bearer ${key}` };
    await eventually(async () => {
      const { status } = await fetch(`${baseUrl}/models/${MODEL}`, { headers });
      if (status !== 200) throw new Error(`the gateway answers ${status} for the model`);
    }, 30_000);
    return await use({
      baseUrl,
      key,
      engine: `http://${ownAddress()}:${port}`,
      gatewayPid: gateway.pid,
      batchPid: batch.pid,
      enginePid: simulator.child.pid,
    });
  } finally {
    for (const end of ends.toReversed()) await end();
  }
}

/** Returns the process as the image has it. */
function bundle(name: string): string {
  return join(import.meta.dirname, '../../dist', `${name}.js`);
}
