/**
 * `make demo`, `make demo-down`, `make -s env`: a cluster, Infer on it, an example deployment that serves, and a chat
 * completion through the gateway. Each step is safe to repeat, so a demo that was interrupted goes on where it stopped.
 */
import { join } from 'node:path';
import OpenAI from 'openai';
import { clusterDown, clusterUp, findCluster, wantsCurrent } from '../cluster/cluster.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { imagesOf } from '../cluster/dev-images.ts';
import { clusterOptions, printExports } from '../cluster/options.ts';
import { commandLine, kubectl } from '../cluster/kubectl.ts';
import { repositoryRoot } from '../cluster/paths.ts';
import { UserError } from '../cluster/user-error.ts';
import { waitFor } from '../cluster/wait.ts';
import { demoKey, FORWARDED_PORT, gatewayOrigin, withGateway } from '../support/gateway-access.ts';
import { installInfer } from '../support/install.ts';

const NAMESPACE = 'default';
const DEPLOYMENT = 'tiny-llama';
const EXAMPLE = 'examples/inference-deployment.yaml';
const READY_TIMEOUT_MS = 180_000;

interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

const started = performance.now();

function progress(line: string): void {
  console.log(`[${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s] ${line}`);
}

/** Prints each change of the Ready condition until it is True. */
async function waitUntilReady(cluster: Cluster): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  let shown = '';
  for (;;) {
    const text = await kubectl(cluster, ['get', 'infer', DEPLOYMENT, '-o', 'jsonpath={.status.conditions}']).catch(
      () => '',
    );
    const conditions = (text === '' ? [] : JSON.parse(text)) as Condition[];
    const ready = conditions.find((condition) => condition.type === 'Ready');
    const line = ready ? `${DEPLOYMENT}: ${ready.reason}: ${ready.message}` : shown;
    if (line !== shown) progress(line);
    shown = line;
    if (ready?.status === 'True') return;
    if (performance.now() > deadline) {
      throw new UserError(
        `${DEPLOYMENT} did not get ready. See: ${commandLine(cluster, ['describe', 'infer', DEPLOYMENT])}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Sends a chat completion through the gateway and prints its tokens as they come. */
async function chat(baseURL: string, apiKey: string): Promise<void> {
  const client = new OpenAI({ baseURL, apiKey, timeout: 20_000 });
  const stream = await client.chat.completions.create({
    model: DEPLOYMENT,
    messages: [{ role: 'user', content: 'What do you run on?' }],
    max_tokens: 24,
    stream: true,
  });
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');
  process.stdout.write('\n\n');
}

/** A control plane that restarts meanwhile delays the demo and does not end it. */
async function persistently<T>(what: string, step: () => Promise<T>): Promise<T> {
  const done = await waitFor(what, async () => ({ value: await step() }), { timeoutMs: 60_000, intervalMs: 1_000 });
  return done.value;
}

async function up(): Promise<void> {
  // Before anything is built.
  if (wantsCurrent()) imagesOf(process.env);
  const cluster = await clusterUp({ ...clusterOptions(process.env), progress });
  await installInfer(cluster, progress);
  progress(`kubectl apply -f ${EXAMPLE}`);
  await persistently('applying the example', async () => {
    await kubectl(cluster, ['apply', '-f', join(repositoryRoot, EXAMPLE)]);
  });
  await waitUntilReady(cluster);
  const key = await persistently('making an API key', async () => await demoKey(cluster, NAMESPACE));
  progress(`POST /v1/chat/completions {"model":"${DEPLOYMENT}","stream":true, ...} through the gateway`);
  console.log();
  await persistently('a chat completion', async () => {
    await withGateway(cluster, async (origin) => await chat(`${origin}/v1`, key));
  });
  console.log('$ kubectl get infer');
  console.log(await persistently('reading it', async () => await kubectl(cluster, ['get', 'infer'])));
  console.log(`It goes on running. Next:
  eval "$(make -s env)"                # KUBECONFIG, INFER_BASE_URL, INFER_API_KEY, kubectl and infer
  infer status ${DEPLOYMENT}; infer chat -d ${DEPLOYMENT}; infer --help
  infer open                           # the page of active models; sign in with $INFER_API_KEY
  curl $INFER_BASE_URL/chat/completions -H "Authorization: Bearer $INFER_API_KEY" -H 'content-type: application/json' \\
    -d '{"model":"${DEPLOYMENT}","messages":[{"role":"user","content":"Hello"}]}'
  kubectl get infer ${DEPLOYMENT} -o wide; kubectl describe infer ${DEPLOYMENT}
  make demo-down                       # remove the cluster and all in it`);
}

async function down(): Promise<void> {
  if (wantsCurrent()) {
    throw new UserError(
      `CLUSTER=current: remove what the demo made with kubectl delete -f ${EXAMPLE} and then kubectl delete -k manifests/overlays/dev; the second removes every InferenceDeployment of the cluster.`,
    );
  }
  await clusterDown(clusterOptions(process.env).name, progress);
}

async function printEnvironment(): Promise<void> {
  const cluster = await findCluster(clusterOptions(process.env).name);
  if (cluster === undefined) throw new UserError('There is no cluster yet; bring it up with: make demo');
  printExports(cluster);
  console.log(`export INFER_BASE_URL='${await gatewayOrigin(cluster)}/v1'`);
  console.log(`export INFER_API_KEY='${await demoKey(cluster, NAMESPACE)}'`);
  // Built with the image; by the Node that is pinned, which the machine's own may be too old to be.
  console.log(`infer() { '${process.execPath}' '${join(repositoryRoot, 'dist/infer.js')}' "$@"; }`);
  if (cluster.kind !== 'local') {
    console.error(`Run beside it: kubectl -n infer-system port-forward service/infer-gateway ${FORWARDED_PORT}:80`);
  }
}

async function main(command: string): Promise<void> {
  switch (command) {
    case 'up':
      return await up();
    case 'down':
      return await down();
    case 'env':
      return await printEnvironment();
    default:
      throw new UserError('Say what to do: up, down or env.');
  }
}

try {
  await main(process.argv[2] ?? '');
} catch (error) {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = 1;
}
