/** Runs the official openai clients against Infer on a cluster: the checks of client.py and client.ts. */
import { join } from 'node:path';
import { ENGINE_PORT } from '../../src/operator/resources/engine.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { tryRun } from '../cluster/command.ts';
import { withGateway } from '../support/gateway-access.ts';
import { withPortForward } from '../support/port-forward.ts';
import { ensurePythonPackage } from '../support/python-package.ts';

/** What pip installs. */
export const PYTHON_CLIENT = 'openai==3.54.0';

/** The three addresses of the one API. */
export const BASES = ['/v1', '/api/v2/external/v1', '/api/v2/external'];

export interface OpenAIClient {
  name: string;
  /** Ending of its scripts. */
  extension: string;
  /** Returns the program that runs the scripts; installs what it needs the first time. */
  program: () => Promise<string>;
}

export const CLIENTS: readonly OpenAIClient[] = [
  { name: 'Python', extension: 'py', program: async () => await ensurePythonPackage(PYTHON_CLIENT) },
  { name: 'Node', extension: 'ts', program: async () => process.execPath },
];

/** What is served, and a key for it. */
export interface Served {
  cluster: Cluster;
  namespace: string;
  /** A deployment of one replica. */
  model: string;
  /** Another name of it. */
  alias?: string;
  /** The name of a LoRA adapter of it. */
  adapter?: string;
  key: string;
  /** Whether the engine's own count of running requests is checked: it has to be told at once. */
  countsRunning: boolean;
}

/**
 * Makes the checks of client.py and client.ts. Returns for each `ok` or what was wrong. Throws an Error where the client made
 * none.
 */
export async function runChecks(client: OpenAIClient, base: string, served: Served): Promise<Record<string, string>> {
  const { cluster, namespace, model, alias, adapter, key, countsRunning } = served;
  const engine = { namespace, service: `infer-${model}`, port: ENGINE_PORT };
  return await withPortForward(
    cluster,
    engine,
    async (engineUrl) =>
      await withGateway(
        cluster,
        async (origin) =>
          await run(client, 'client', {
            INFER_BASE_URL: `${origin}${base}`,
            INFER_API_KEY: key,
            MODEL: model,
            INFER_NAMESPACE: namespace,
            ...(alias !== undefined && { MODEL_ALIAS: alias }),
            ...(adapter !== undefined && { MODEL_ADAPTER: adapter }),
            ...(countsRunning && { INFER_ENGINE_METRICS: `${engineUrl}/metrics` }),
          }),
      ),
  );
}

/** Makes the checks of batches.py and batches.ts, with a key of another namespace, as runChecks() does those of others. */
export async function runBatchChecks(
  client: OpenAIClient,
  base: string,
  served: Pick<Served, 'cluster' | 'model' | 'key'> & { otherKey: string; slowTokens: number },
): Promise<Record<string, string>> {
  const { cluster, model, key, otherKey, slowTokens } = served;
  return await withGateway(
    cluster,
    async (origin) =>
      await run(client, 'batches', {
        INFER_BASE_URL: `${origin}${base}`,
        INFER_API_KEY: key,
        MODEL: model,
        OTHER_KEY: otherKey,
        SLOW_TOKENS: String(slowTokens),
      }),
  );
}

async function run(
  client: OpenAIClient,
  script: string,
  environment: Record<string, string>,
): Promise<Record<string, string>> {
  const program = await client.program();
  const file = join(import.meta.dirname, `${script}.${client.extension}`);
  const env = { ...environment, PYTHONDONTWRITEBYTECODE: '1' };
  const { stdout, stderr } = await tryRun(program, [file], { env, timeoutMs: 300_000 });
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  if (lines.length === 0) throw new Error(`${script}.${client.extension} made no check: ${stderr}`);
  const checks = lines.map((line) => JSON.parse(line) as { check: string; ok: boolean; error?: string });
  return Object.fromEntries(checks.map(({ check, ok, error = 'failed' }) => [check, ok ? 'ok' : error]));
}
