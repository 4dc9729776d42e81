/**
 * `make e2e-vllm`: the main path with real vLLM on the CPU, on a cluster of its own that is removed at the end. A tiny
 * generated model on a local PersistentVolume is served under Pod Security "restricted", with a UID that the image does
 * not know and a read-only root, and answers the official openai clients through the gateway; what it counts is metered; a
 * stream outlives the deletion of its pod; a load runs through a rollout, an eviction and a scale-down, and nothing of it is lost.
 */
import assert from 'node:assert/strict';
import { PRE_STOP_SECONDS } from '../../src/operator/resources/deployment.ts';
import { ENGINE_PORT } from '../../src/operator/resources/engine.ts';
import { loadImages, type Cluster } from '../cluster/cluster.ts';
import { applyObjects, kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp } from '../cluster/local-cluster.ts';
import { UserError } from '../cluster/user-error.ts';
import { waitFor } from '../cluster/wait.ts';
import { BASES, CLIENTS, runChecks } from '../conformance/clients.ts';
import { createApiKey } from '../support/api-key.ts';
import { installInfer } from '../support/install.ts';
import { clientOf } from '../support/kube.ts';
import { withPortForward } from '../support/port-forward.ts';
import { chat, streamChat } from './chat.ts';
import { checkMetering } from './metering.ts';
import { DEPLOYMENT, MAX_MODEL_LENGTH, NAMESPACE, testObjects } from './objects.ts';
import { checkTraffic } from './traffic.ts';
import { ensureEngineImage, ensureVolume } from './volume.ts';

const CLUSTER_NAME = 'e2e-vllm';
/** vLLM loads for a minute on an idle machine of two cores. */
const READY_TIMEOUT_MS = 10 * 60_000;
/** How long the stream that outlives its pod is meant to take: well beyond the hold before SIGTERM. */
const LONG_ANSWER_SECONDS = 15;
const PROBE_TOKENS = 400;
/** What the pod itself finds: its user, and whether its root file system takes a file. */
const SELF_CHECK = `
import os, pwd
try: pwd.getpwuid(os.getuid()); known = True
except KeyError: known = False
try: open("/written", "w"); writable = True
except OSError as error: writable = False
print(os.getuid(), known, writable)`;

const started = performance.now();

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

function progress(line: string): void {
  console.log(`[${seconds(started).padStart(8)}] ${line}`);
}

interface Resource {
  metadata: { name: string };
  status?: { conditions?: { type: string; status: string; reason: string; message: string }[] };
}

/** Returns once the deployment is Ready, telling each change of the condition. */
async function waitUntilReady(cluster: Cluster): Promise<void> {
  let shown = '';
  const attempt = async (): Promise<true | undefined> => {
    const text = await kubectl(cluster, ['-n', NAMESPACE, 'get', 'infer', DEPLOYMENT, '-o', 'json']);
    const ready = (JSON.parse(text) as Resource).status?.conditions?.find(({ type }) => type === 'Ready');
    const line = ready === undefined ? '' : `${DEPLOYMENT}: ${ready.reason}: ${ready.message}`;
    if (line !== shown) progress(line);
    shown = line;
    return ready?.status === 'True' ? true : undefined;
  };
  try {
    await waitFor(`${DEPLOYMENT} getting ready`, attempt, { timeoutMs: READY_TIMEOUT_MS, intervalMs: 1000 });
  } catch (error) {
    const selector = `infer.dev/deployment=${DEPLOYMENT}`;
    console.error(await kubectl(cluster, ['-n', NAMESPACE, 'describe', 'pods', '-l', selector]));
    console.error(await kubectl(cluster, ['-n', NAMESPACE, 'logs', '-l', selector, '--tail=60']).catch(String));
    throw error;
  }
}

async function checkPod(cluster: Cluster, pod: string): Promise<void> {
  const inside = ['-n', NAMESPACE, 'exec', pod, '-c', 'engine', '--', 'python3', '-c', SELF_CHECK];
  const [uid, known, writable] = (await kubectl(cluster, inside)).trim().split(' ');
  progress(`the pod runs as UID ${uid}; known to /etc/passwd: ${known}; root file system writable: ${writable}`);
  assert.deepEqual([known, writable], ['False', 'False']);
}

/**
 * The official openai clients through the gateway, under every base. What a disconnect does to the engine's count is left
 * to the conformance tests: with a model that is faster than vLLM's API server, that server sees neither a disconnect nor
 * a request for its metrics for seconds, also where a client is connected to it directly.
 */
async function checkClients(cluster: Cluster, key: string): Promise<void> {
  const served = { cluster, namespace: NAMESPACE, model: DEPLOYMENT, key, countsRunning: false };
  for (const openai of CLIENTS) {
    for (const base of BASES) {
      const checks = await runChecks(openai, base, served);
      const failed = Object.entries(checks).filter(([, result]) => result !== 'ok');
      progress(
        `the openai client for ${openai.name} under ${base}: ${Object.keys(checks).length - failed.length} checks ok` +
          failed.map(([check, result]) => `\n  ${check}: ${result}`).join(''),
      );
      assert.deepEqual(failed, []);
    }
  }
}

/** Deletes the pod at the first chunk of a stream of `tokens` tokens, and reads the stream to its end. */
async function drain(cluster: Cluster, pod: string, baseUrl: string, tokens: number): Promise<void> {
  let deletion: Promise<string> | undefined;
  let deletedAt = 0;
  const result = await streamChat(baseUrl, tokens, () => {
    if (deletion !== undefined) return;
    deletedAt = performance.now();
    deletion = kubectl(cluster, ['-n', NAMESPACE, 'delete', 'pod', pod, '--wait=false']);
  });
  progress(
    `pod deleted at the first of ${tokens} tokens; ${seconds(deletedAt)} later the stream ended ` +
      `with ${result.done ? '[DONE]' : 'a cut'} after ${result.chunks} chunks, finish reason ${result.finishReason}`,
  );
  await deletion;
  assert.deepEqual([result.done, result.finishReason], [true, 'length']);
  const afterSigterm = performance.now() - deletedAt - PRE_STOP_SECONDS * 1000;
  assert(afterSigterm > 1000, 'the stream ended before SIGTERM, so it did not show a drain: raise LONG_ANSWER_SECONDS');
  await kubectl(cluster, ['-n', NAMESPACE, 'wait', '--for=delete', `pod/${pod}`, '--timeout=100s']);
  progress(`the pod was gone ${seconds(deletedAt)} after its deletion`);
}

async function mainPath(cluster: Cluster): Promise<void> {
  assert.equal(cluster.nodes.length, 1);
  const [node] = cluster.nodes;
  await loadImages(cluster, await ensureEngineImage(progress));
  const volume = await ensureVolume(progress);
  await installInfer(cluster, progress);
  progress(`applying ${DEPLOYMENT} with the claim of a local volume`);
  const applied = performance.now();
  await applyObjects(cluster, testObjects(volume, node?.name ?? ''));
  await waitUntilReady(cluster);
  progress(`Ready ${seconds(applied)} after the apply`);
  console.log(await kubectl(cluster, ['-n', NAMESPACE, 'get', 'infer,pods']));
  const names = await kubectl(cluster, ['-n', NAMESPACE, 'get', 'pods', '-o', 'name']);
  const pod = names.trim().replace(/^pod\//, '');
  await checkPod(cluster, pod);
  const client = clientOf(cluster.kubeconfig);
  const key = await createApiKey(client, NAMESPACE, 'e2e-vllm');
  const metered = await createApiKey(client, NAMESPACE, 'metered', { scopes: ['inference', 'view'] });
  await client.close();
  await checkClients(cluster, key);
  await checkMetering(cluster, { key: metered, keyName: 'metered' }, progress);
  const service = { namespace: NAMESPACE, service: `infer-${DEPLOYMENT}`, port: ENGINE_PORT };
  await withPortForward(cluster, service, async (baseUrl) => {
    const asked = performance.now();
    const answer = await chat(baseUrl, 16);
    progress(`unary answer in ${seconds(asked)}: ${JSON.stringify(answer)}`);
    const streamed = performance.now();
    const stream = await streamChat(baseUrl, PROBE_TOKENS);
    const tokensPerSecond = (PROBE_TOKENS / (performance.now() - streamed)) * 1000;
    progress(
      `stream of ${PROBE_TOKENS} tokens in ${seconds(streamed)} and ${stream.chunks} chunks, ` +
        `then ${stream.done ? '[DONE]' : 'a cut'}`,
    );
    assert(stream.done && stream.chunks > 0);
    const tokens = Math.round(tokensPerSecond * LONG_ANSWER_SECONDS);
    await drain(cluster, pod, baseUrl, Math.min(tokens, MAX_MODEL_LENGTH - 1000));
  });
  await waitUntilReady(cluster);
  await checkTraffic(cluster, key, progress);
}

async function main(): Promise<void> {
  if (process.arch !== 'x64')
    throw new UserError('make e2e-vllm needs an x86-64 machine: its vLLM packages are for it.');
  // Not kind or the user's cluster: the volume is a folder of this machine, which only these nodes see.
  const cluster = await localClusterUp({ name: CLUSTER_NAME, nodes: 1, gpus: 0, progress });
  // Told at once: an error of the removal must not hide it.
  const failed = await mainPath(cluster).then(
    () => false,
    (error: unknown) => {
      console.error(error);
      return true;
    },
  );
  await localClusterDown(CLUSTER_NAME, progress);
  if (failed) process.exitCode = 1;
  else progress('passed');
}

try {
  await main();
} catch (error) {
  console.error(error instanceof UserError ? error.message : error);
  process.exitCode = 1;
}
