/**
 * What goes wrong on a real node, all at the same time: each failure is told with its cause within 15 seconds of when
 * Kubernetes lets know, is told in the same words for a minute of further tries, and is gone within 15 seconds of its
 * repair.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { HardwareProfileSpec } from '../../src/api/generated/hardware-profile.ts';
import type { InferenceDeploymentSpec } from '../../src/api/generated/inference-deployment.ts';
import { hardwareProfiles, inferenceDeployments } from '../../src/api/resources.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Cluster } from '../cluster/cluster-types.ts';
import { applyObjects, kubectl } from '../cluster/kubectl.ts';
import { localClusterDown, localClusterUp, localLayout } from '../cluster/local-cluster.ts';
import { podProcesses } from '../cluster/programs.ts';
import { eventually } from '../support/eventually.ts';
import { containerSign, FailureWatch, READY, type Sign } from '../support/failure-watch.ts';
import { installInfer } from '../support/install.ts';
import { clientOf } from '../support/kube.ts';
import { createDeployment } from '../support/scenario.ts';

const NAME = 't-failures';
const NAMESPACE = 'team-a';
const CROWDED = 'team-b';
/** One that no other deployment here waits for. */
const OTHER_GPU = 'example.com/gpu';
const SOON_MS = 15_000;
const STEADY_MS = 60_000;

const SERVES = { model: { id: 'infer-examples/tiny-llama' }, drainTimeoutSeconds: 0 };

interface Failure {
  name: string;
  sentence: string;
  namespace?: string;
  /** What differs from a profile on which a replica serves. */
  profile?: Partial<HardwareProfileSpec>;
  spec?: Partial<InferenceDeploymentSpec>;
  /** Brings the failure about once a replica serves, or while it starts. */
  cause?: { afterReady: boolean; run: (name: string, until: AbortSignal) => Promise<void> };
  /** What Kubernetes shows once it knows. */
  sign: Sign;
  reason: string;
  says: RegExp;
  /** Default: a profile on which a replica serves. */
  repair?: () => Promise<void>;
}

interface Outcome {
  reason: string;
  message: string;
  /** From the sign to the condition, in milliseconds. */
  shownMs: number;
  /** What was told in the minute after it, the first words included. */
  told: number;
  /** From a replica that is ready to the condition. */
  clearedMs: number;
}

let cluster: Cluster;
let client: KubeClient;
let watch: FailureWatch;
const outcomes = new Map<string, Outcome | Error>();

async function k(...args: string[]): Promise<string> {
  return await kubectl(cluster, args);
}

async function edit(name: string, spec: Partial<InferenceDeploymentSpec>, namespace = NAMESPACE): Promise<void> {
  await client.patch(inferenceDeployments, { namespace, name }, { spec }, { type: 'merge' });
}

async function applySecret(name: string, data: Record<string, string>): Promise<void> {
  const metadata = { name, namespace: NAMESPACE };
  await applyObjects(cluster, [{ apiVersion: 'v1', kind: 'Secret', metadata, stringData: data }]);
}

/** The stand-in hub takes it for one of an account that may read what is public. */
const TOKEN = `hf_stranger${'0'.repeat(20)}`;

/** Stops the replica's processes, so that its node finds it running and its probes find no answer. */
async function freeze(name: string, signal: NodeJS.Signals): Promise<void> {
  for (const { metadata } of watch.podsOf(name)) {
    for (const pid of await podProcesses(metadata.uid ?? '')) process.kill(pid, signal);
  }
}

/**
 * Writes more into the model cache of each replica than it may hold. An engine that would end with exit code 0 when it is
 * evicted is stopped: the kubelet would forget why it ended it.
 */
async function fillCaches(name: string, until: AbortSignal): Promise<void> {
  const { localNodes } = await localLayout(NAME);
  const filled = new Set<string>();
  while (!until.aborted) {
    for (const { metadata, status } of watch.podsOf(name)) {
      const uid = metadata.uid ?? '';
      if (filled.has(uid) || status?.phase !== 'Running') continue;
      const cache = join(localNodes[0]?.kubeletDirectory ?? '', 'pods', uid, 'volumes/kubernetes.io~empty-dir/model');
      await writeFile(join(cache, 'too-much'), Buffer.alloc(32 * 1024 * 1024, 1));
      await freeze(name, 'SIGSTOP');
      filled.add(uid);
    }
    await delay(500, undefined, { signal: until }).catch(() => undefined);
  }
}

function sim(failure: string): Partial<HardwareProfileSpec> {
  return { args: [`--additional-config={"sim":"${failure}"}`] };
}

const engineEnded = containerSign('engine', ({ state, lastState }) =>
  Boolean(state?.terminated ?? lastState?.terminated),
);
const noNode: Sign = {
  pod: ({ status }) =>
    status?.conditions?.some(({ type, status: is }) => type === 'PodScheduled' && is === 'False') ?? false,
};
const refused: Sign = {
  deployment: ({ status }) =>
    status?.conditions?.some(({ type, status: is }) => type === 'ReplicaFailure' && is === 'True') ?? false,
};

const failures: Failure[] = [
  {
    name: 'gpus-taken',
    sentence: 'every GPU is taken',
    spec: { hardwareProfile: 'gpu.a100' },
    sign: noNode,
    reason: 'WaitingForGPU',
    says: /^No node has 1 nvidia\.com\/gpu free .*Insufficient nvidia\.com\/gpu\. Free a GPU/,
    repair: async () => await edit('holder', { suspend: true }),
  },
  {
    name: 'no-such-node',
    sentence: 'no node has the label',
    profile: { nodeSelector: { 'example.com/rack': 'none' } },
    sign: noNode,
    reason: 'NoMatchingNode',
    says: /^No node matches profile no-such-node: node\(s\) didn't match Pod's node affinity\/selector\. Check nodeSelector/,
  },
  {
    name: 'too-large',
    sentence: 'no node is as large as the profile',
    profile: { accelerator: { resource: 'nvidia.com/gpu', count: 16, memoryGiB: 80 } },
    sign: noNode,
    reason: 'NoMatchingNode',
    says: /^No node is large enough for profile too-large, which takes 16 nvidia\.com\/gpu/,
  },
  {
    name: 'over-quota',
    sentence: 'a quota leaves no room',
    namespace: CROWDED,
    sign: refused,
    reason: 'QuotaExceeded',
    says: /ResourceQuota has no room .*exceeded quota: none.*Raise the quota/,
    repair: async () => void (await k('-n', CROWDED, 'delete', 'resourcequota', 'none')),
  },
  {
    name: 'no-priority',
    sentence: 'the priority class does not exist',
    profile: { priorityClassName: 'none' },
    sign: refused,
    reason: 'PodsRefused',
    says: /no PriorityClass with name none was found\. Create PriorityClass none/,
  },
  {
    name: 'no-image',
    sentence: 'the image cannot be pulled',
    profile: { image: 'localhost/none:v1' },
    sign: containerSign('engine', ({ state }) =>
      /^(ErrImagePull|ImagePullBackOff)$/.test(state?.waiting?.reason ?? ''),
    ),
    reason: 'ImagePullFailed',
    says: /^The node cannot pull image localhost\/none:v1 of container engine: .*(connection refused|not found)/,
  },
  {
    name: 'no-program',
    sentence: 'the image holds no vLLM',
    profile: { image: 'localhost/hub-sim:dev' },
    sign: engineEnded,
    reason: 'ContainerConfigInvalid',
    says: /^Kubernetes cannot start container engine: exec: "vllm": executable file not found in \$PATH/,
  },
  {
    name: 'no-secret',
    sentence: 'the token Secret is missing',
    spec: { model: { id: 'infer-examples/tiny-llama', tokenSecretRef: { name: 'absent', key: 'token' } } },
    sign: containerSign('preflight', ({ state }) => state?.waiting?.reason === 'CreateContainerConfigError'),
    reason: 'TokenMissing',
    says: /^Namespace team-a has no Secret absent with key token\. Create it/,
    repair: async () => await applySecret('absent', { token: TOKEN }),
  },
  {
    name: 'no-key',
    sentence: 'the token Secret lacks the key',
    spec: { model: { id: 'infer-examples/tiny-llama', tokenSecretRef: { name: 'keyless', key: 'token' } } },
    sign: containerSign('preflight', ({ state }) => state?.waiting?.reason === 'CreateContainerConfigError'),
    reason: 'TokenMissing',
    says: /^Secret keyless in namespace team-a has no key token\. Add it/,
    repair: async () => await applySecret('keyless', { token: TOKEN }),
  },
  {
    name: 'crash',
    sentence: 'the engine crashes',
    profile: sim('crash'),
    sign: engineEnded,
    reason: 'EngineFailed',
    says: /^CUDA error: an illegal memory access was encountered\. Where it comes again/,
  },
  {
    name: 'crash-loop',
    sentence: 'the engine ends again and again without a word',
    // The simulator ends with a text that is no exception of vLLM's.
    profile: sim('no such failure'),
    sign: containerSign('engine', ({ restartCount }) => restartCount >= 3),
    reason: 'CrashLooping',
    says: /^The engine ends with exit code 1 again and again\. See: kubectl -n team-a logs .*--previous$/,
  },
  {
    name: 'gpu-memory',
    sentence: 'the GPU has too little memory',
    profile: { ...sim('gpu-oom'), accelerator: { resource: OTHER_GPU, count: 1, memoryGiB: 80 } },
    sign: engineEnded,
    reason: 'GPUOutOfMemory',
    says: /^CUDA out of memory\. Tried to allocate .*The weights do not fit: set engine\.quantization/,
  },
  {
    name: 'host-memory',
    sentence: 'the engine outgrows its memory limit',
    profile: { resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '16Mi' } } },
    sign: engineEnded,
    reason: 'OutOfMemory',
    says: /^The engine used more host memory than profile host-memory allows\. Raise resources\.limits\.memory/,
  },
  {
    name: 'late',
    sentence: 'the engine does not start in time',
    profile: sim('slow-load:600'),
    spec: { startupTimeoutSeconds: 15 },
    sign: engineEnded,
    reason: 'StartupTimeout',
    says: /^The engine did not answer its health probe within startupTimeoutSeconds and was ended\. Raise/,
    repair: async () => await edit('late', { hardwareProfile: 'cpu', startupTimeoutSeconds: 600 }),
  },
  {
    name: 'silent',
    sentence: 'a replica that served stops answering',
    spec: { drainTimeoutSeconds: 120 },
    cause: { afterReady: true, run: async (name) => await freeze(name, 'SIGSTOP') },
    sign: {
      pod: ({ status }) =>
        status?.phase === 'Running' &&
        (status.conditions?.some(({ type, status: is }) => type === 'ContainersReady' && is === 'False') ?? false),
    },
    reason: 'NotResponding',
    says: /^A replica stopped answering its health probe\. See: kubectl -n team-a logs/,
    repair: async () => await freeze('silent', 'SIGCONT'),
  },
  {
    name: 'cache-full',
    sentence: 'the model outgrows its cache and the replica is evicted, again and again',
    profile: { ...sim('slow-load:600'), modelCache: { type: 'EmptyDir', sizeLimit: '16Mi' } },
    cause: { afterReady: false, run: fillCaches },
    sign: { pod: ({ status }) => status?.phase === 'Failed' && status.reason === 'Evicted' },
    reason: 'DiskFull',
    says: /^A replica used more than the 16Mi of disk that it has for the model\. Raise modelCache\.sizeLimit of profile cache-full/,
  },
];

function profileSpec(differs: Partial<HardwareProfileSpec>): HardwareProfileSpec {
  return {
    image: 'localhost/vllm-sim:dev',
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '256Mi' } },
    ...differs,
  };
}

async function create({ name, namespace = NAMESPACE, profile, spec }: Failure): Promise<void> {
  await client.create(hardwareProfiles, {
    apiVersion: 'infer.dev/v1alpha1',
    kind: 'HardwareProfile',
    metadata: { name, namespace: 'infer-system' },
    spec: profileSpec(profile ?? {}),
  });
  await createDeployment(client, namespace, name, { ...SERVES, hardwareProfile: name, ...spec });
}

/** Waits until the Ready condition says so and returns since when; the sign must be seen by then. */
async function toldSince(name: string, reason: string, says: RegExp, timeoutMs: number): Promise<number> {
  return await eventually(
    () => {
      const last = watch.told(name).at(-1);
      expect(last).toMatchObject({ reason, message: expect.stringMatching(says) });
      expect(watch.seenMs(name)).toBeDefined();
      return last?.atMs ?? 0;
    },
    timeoutMs,
    200,
  );
}

/** From the sign on; what is told before the watch of this test shows it counts as at once. */
function sinceSign(name: string, atMs: number): number {
  return Math.max(0, Math.round(atMs - (watch.seenMs(name) ?? 0)));
}

async function goThrough(failure: Failure): Promise<Outcome> {
  const { name, namespace, cause, sign, reason, says, repair } = failure;
  const over = new AbortController();
  if (cause?.afterReady !== true) watch.await(name, sign);
  await create(failure);
  if (cause?.afterReady === true) {
    watch.await(name, READY);
    await toldSince(name, 'Serving', /./, 120_000);
    watch.await(name, sign);
  }
  const causing = cause?.run(name, over.signal);
  try {
    const shownAtMs = await toldSince(name, reason, says, 180_000);
    const shownMs = sinceSign(name, shownAtMs);
    // The minute itself is what is tested.
    await delay(STEADY_MS);
    const told = watch.told(name).filter(({ atMs }) => atMs >= shownAtMs);
    over.abort();
    await causing;
    watch.await(name, READY);
    await (repair ?? (async () => await edit(name, { hardwareProfile: 'cpu' }, namespace)))();
    const clearedMs = sinceSign(name, await toldSince(name, 'Serving', /./, 180_000));
    return { reason, message: told[0]?.message ?? '', shownMs, told: told.length, clearedMs };
  } finally {
    over.abort();
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function table(): string {
  const rows = failures.map(({ name, sentence }) => {
    const outcome = outcomes.get(name);
    if (outcome === undefined || outcome instanceof Error) return [sentence, 'failed', '', '', '', ''];
    const { reason, shownMs, told, clearedMs, message } = outcome;
    return [sentence, reason, seconds(shownMs), String(told), seconds(clearedMs), message];
  });
  const head = ['failure', 'reason', 'shown', 'told', 'cleared', 'message'];
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

beforeAll(async () => {
  await localClusterDown(NAME, () => undefined);
  cluster = await localClusterUp({ name: NAME, nodes: 1, progress: () => undefined, gpus: 2 });
  await installInfer(cluster, () => undefined);
  client = clientOf(cluster.kubeconfig);
  watch = new FailureWatch(client);
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await applyObjects(cluster, [
    ...[NAMESPACE, CROWDED].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })),
    {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none', namespace: CROWDED },
      spec: { hard: { pods: '0' } },
    },
  ]);
  await applySecret('keyless', { other: 'x' });
  const others = { capacity: { [OTHER_GPU]: '1' }, allocatable: { [OTHER_GPU]: '1' } };
  await k(
    'patch',
    'node',
    `${NAME}-node-1`,
    '--subresource=status',
    '--type=merge',
    '-p',
    JSON.stringify({ status: others }),
  );
  await createDeployment(client, NAMESPACE, 'holder', { ...SERVES, minReplicas: 2 });
  watch.await('holder', READY);
  await eventually(() => expect(watch.told('holder').at(-1)?.reason).toBe('Serving'), 120_000);
  await Promise.all(failures.map(async (failure) => await settle(failure)));
  await watch.stop();
  await client.close();
  console.log(table());
}, 900_000);

async function settle(failure: Failure): Promise<void> {
  const outcome = await goThrough(failure).catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  outcomes.set(failure.name, outcome);
}

afterAll(async () => await localClusterDown(NAME, () => undefined), 120_000);

test.each(failures.map(({ sentence, name, reason }): [string, string, string] => [sentence, name, reason]))(
  '%s',
  (_sentence, name, reason) => {
    const outcome = outcomes.get(name);
    if (outcome === undefined || outcome instanceof Error) throw outcome ?? new Error(`${name} did not run`);
    expect(outcome.reason).toBe(reason);
    expect(outcome.shownMs).toBeLessThanOrEqual(SOON_MS);
    expect(outcome.told).toBe(1);
    expect(outcome.clearedMs).toBeLessThanOrEqual(SOON_MS);
  },
);
