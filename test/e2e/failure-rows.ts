/** What is made to fail on a real node, and what status is to say of it. */
import type { HardwareProfileSpec } from '../../src/api/generated/hardware-profile.ts';
import type { InferenceDeploymentSpec } from '../../src/api/generated/inference-deployment.ts';
import { containerSign, type Sign } from '../support/failure-watch.ts';
import { CROWDED, OTHER_GPU, type FailureBed } from './failure-bed.ts';

export interface Failure {
  name: string;
  sentence: string;
  namespace?: string;
  /** What differs from a profile on which a replica serves. */
  profile?: Partial<HardwareProfileSpec>;
  spec?: Partial<InferenceDeploymentSpec>;
  /** Brings the failure about once a replica serves, or while it starts. */
  cause?: { afterReady: boolean; run: (bed: FailureBed, name: string, until: AbortSignal) => Promise<void> };
  /** What Kubernetes shows once it knows. */
  sign: Sign;
  reason: string;
  says: RegExp;
  /** Default: a profile on which a replica serves. */
  repair?: (bed: FailureBed) => Promise<void>;
}

/** The stand-in hub takes it for one of an account that may read what is public. */
const TOKEN = `hf_stranger${'0'.repeat(20)}`;

function sim(failure: string): Partial<HardwareProfileSpec> {
  return { args: [`--additional-config={"sim":"${failure}"}`] };
}

/** By what the kubelet says: under the same reason it may first say that it could not read the Secret yet, and tries again. */
function cannotStart(container: string, why: RegExp): Sign {
  return containerSign(container, ({ state }) => why.test(state?.waiting?.message ?? ''));
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

export const failures: readonly Failure[] = [
  {
    name: 'gpus-taken',
    sentence: 'every GPU is taken',
    spec: { hardwareProfile: 'gpu.a100' },
    sign: noNode,
    reason: 'WaitingForGPU',
    says: /^No node has 1 nvidia\.com\/gpu free .*Insufficient nvidia\.com\/gpu\. Free a GPU/,
    repair: async (bed) => await bed.edit('holder', { suspend: true }),
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
    profile: { accelerator: { resource: OTHER_GPU, count: 1, memoryGiB: 80 } },
    sign: refused,
    reason: 'QuotaExceeded',
    says: /ResourceQuota has no room .*exceeded quota: none.*Raise the quota/,
    repair: async (bed) => await bed.kubectl('-n', CROWDED, 'delete', 'resourcequota', 'none'),
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
    sign: cannotStart('preflight', /secret "absent" not found/),
    reason: 'TokenMissing',
    says: /^Namespace team-a has no Secret absent with key token\. Create it/,
    repair: async (bed) => await bed.applySecret('absent', { token: TOKEN }),
  },
  {
    name: 'no-key',
    sentence: 'the token Secret lacks the key',
    spec: { model: { id: 'infer-examples/tiny-llama', tokenSecretRef: { name: 'keyless', key: 'token' } } },
    sign: cannotStart('preflight', /couldn't find key token in Secret/),
    reason: 'TokenMissing',
    says: /^Secret keyless in namespace team-a has no key token\. Add it/,
    repair: async (bed) => await bed.applySecret('keyless', { token: TOKEN }),
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
    repair: async (bed) => await bed.edit('late', { hardwareProfile: 'cpu', startupTimeoutSeconds: 600 }),
  },
  {
    name: 'silent',
    sentence: 'a replica that served stops answering',
    spec: { drainTimeoutSeconds: 120 },
    cause: { afterReady: true, run: async (bed, name) => await bed.freeze(name, 'SIGSTOP') },
    sign: {
      pod: ({ status }) =>
        status?.phase === 'Running' &&
        (status.conditions?.some(({ type, status: is }) => type === 'ContainersReady' && is === 'False') ?? false),
    },
    reason: 'NotResponding',
    says: /^A replica stopped answering its health probe\. See: kubectl -n team-a logs/,
    repair: async (bed) => await bed.freeze('silent', 'SIGCONT'),
  },
  {
    name: 'cache-full',
    sentence: 'the model outgrows its cache and the replica is evicted, again and again',
    profile: { ...sim('slow-load:600'), modelCache: { type: 'EmptyDir', sizeLimit: '16Mi' } },
    cause: { afterReady: false, run: async (bed, name, until) => await bed.fillCaches(name, until) },
    sign: { pod: ({ status }) => status?.phase === 'Failed' && status.reason === 'Evicted' },
    reason: 'DiskFull',
    says: /^A replica used more than the 16Mi of disk that it has for the model\. Raise modelCache\.sizeLimit of profile cache-full/,
  },
];
