import type { Mistake } from './mistake.ts';

const args = (...values: string[]): { spec: Record<string, unknown> } => ({ spec: { args: values } });
const loadsCode = 'spec.args[0]: Forbidden: this argument loads code or opens files';
const setByInfer = 'spec.args[0]: Forbidden: Infer sets this argument itself; remove it';

/** Mistakes in the spec of a HardwareProfile. */
export const profileMistakes: Mistake[] = [
  ...[
    ['an image without tag', 'docker.io/vllm/vllm-openai'],
    ['an image that changes under its tag', 'docker.io/vllm/vllm-openai:latest'],
    ['an image from a registry with a port, without tag', 'registry.example:5000/vllm'],
    ['an image with a space', 'vllm:v1 '],
    ['an image with half a digest', 'vllm@sha256:abc'],
    ['no image', ''],
    ['the URL of an image', 'https://registry.example/vllm:v1'],
  ].map(([sentence = '', image]) => ({
    sentence,
    spec: { image },
    answer: 'spec.image: Invalid value: "string": write the image with a tag other than latest or with a digest',
  })),
  { sentence: 'no resources', spec: { resources: undefined }, answer: 'spec.resources: Required value' },
  {
    sentence: 'an amount of memory in a unit that is none',
    spec: { resources: { requests: { cpu: 8, memory: '64GB' } } },
    answer: 'spec.resources.requests.memory: Invalid value: "": write an amount of memory above 0',
  },
  {
    sentence: 'no cores at all',
    spec: { resources: { requests: { cpu: 0, memory: '64Gi' } } },
    answer: 'spec.resources.requests.cpu: Invalid value: "": write a number of cores above 0',
  },
  {
    sentence: 'cores as a fraction without quotes',
    spec: { resources: { requests: { cpu: 0.5, memory: '64Gi' } } },
    answer: 'spec.resources.requests.cpu in body must be of type integer,string',
  },
  {
    sentence: 'a limit of cores that is no quantity',
    spec: { resources: { requests: { cpu: 8, memory: '64Gi' }, limits: { cpu: 'many' } } },
    answer: 'spec.resources.limits.cpu: Invalid value: "": write a number of cores above 0',
  },
  {
    sentence: 'a negative limit of memory',
    spec: { resources: { requests: { cpu: 8, memory: '64Gi' }, limits: { memory: '-1Gi' } } },
    answer: 'spec.resources.limits.memory: Invalid value: "": write an amount of memory above 0',
  },
  {
    sentence: 'fewer cores at most than reserved',
    spec: { resources: { requests: { cpu: 8, memory: '64Gi' }, limits: { cpu: '7500m' } } },
    answer: 'limits.cpu must be at least requests.cpu; raise it or remove it',
  },
  {
    sentence: 'less memory at most than reserved',
    spec: { resources: { requests: { cpu: 8, memory: '64Gi' }, limits: { memory: '64G' } } },
    answer: 'limits.memory must be at least requests.memory; raise it or remove it',
  },
  {
    sentence: 'shared memory that is no quantity',
    spec: { sharedMemory: 'lots' },
    answer: 'spec.sharedMemory: Invalid value: "": write an amount of memory above 0',
  },
  {
    sentence: 'a cache of no size',
    spec: { modelCache: { sizeLimit: '0' } },
    answer: 'spec.modelCache.sizeLimit: Invalid value: "": write an amount of disk above 0',
  },
  {
    sentence: 'a cache on a claim of unknown size',
    spec: { modelCache: { type: 'PersistentVolumeClaim' } },
    answer: 'spec.modelCache.claim: Invalid value: "object": write claim together with type PersistentVolumeClaim',
  },
  {
    sentence: 'a claim beside an emptyDir',
    spec: { modelCache: { claim: { size: '10Gi' } } },
    answer: 'spec.modelCache.claim: Invalid value: "object": write claim together with type PersistentVolumeClaim',
  },
  {
    sentence: 'a limit of a claim',
    spec: { modelCache: { type: 'PersistentVolumeClaim', claim: { size: '10Gi' }, sizeLimit: '10Gi' } },
    answer: 'spec.modelCache.sizeLimit: Invalid value: "object": sizeLimit belongs to type EmptyDir; remove it',
  },
  {
    sentence: 'a claim of a class that cannot be one',
    spec: { modelCache: { type: 'PersistentVolumeClaim', claim: { size: '10Gi', storageClassName: 'Fast disks' } } },
    answer: 'write the name of a StorageClass, for example shared',
  },
  {
    sentence: 'a claim of no size',
    spec: { modelCache: { type: 'PersistentVolumeClaim', claim: { size: '0' } } },
    answer: 'spec.modelCache.claim.size: Invalid value: "": write an amount of disk above 0',
  },
  {
    sentence: 'a cache of an unknown type',
    spec: { modelCache: { type: 'HostPath' } },
    answer:
      'spec.modelCache.type: Unsupported value: "HostPath": supported values: "EmptyDir", "PersistentVolumeClaim"',
  },
  {
    sentence: 'a wait for GPUs of more than an hour',
    spec: { gpuWaitSeconds: 3601 },
    answer:
      'spec.gpuWaitSeconds: Invalid value: 3601: spec.gpuWaitSeconds in body should be less than or equal to 3600',
  },
  {
    sentence: 'a rollout at another time',
    spec: { rollout: 'Never' },
    answer: 'spec.rollout: Unsupported value: "Never": supported values: "OnChange", "Auto"',
  },
  {
    sentence: 'accelerators without their memory',
    spec: { accelerator: { count: 2 } },
    answer: 'spec.accelerator.memoryGiB: Required value',
  },
  {
    sentence: 'no accelerators',
    spec: { accelerator: { count: 0, memoryGiB: 80 } },
    answer: 'spec.accelerator.count in body should be greater than or equal to 1',
  },
  {
    sentence: 'CPUs as accelerator',
    spec: { accelerator: { resource: 'cpu', memoryGiB: 80 } },
    answer: 'spec.accelerator.resource: Invalid value: "string": write the extended resource',
  },
  {
    sentence: 'a product with a line break',
    spec: { accelerator: { product: 'A\n100', memoryGiB: 80 } },
    answer: 'spec.accelerator.product: Invalid value: "string": write the product',
  },
  {
    sentence: 'a pull Secret in upper case',
    spec: { imagePullSecrets: [{ name: 'Registry' }] },
    answer: 'spec.imagePullSecrets[0].name: Invalid value: "string": write the name of a Secret',
  },
  ...['--max-num-seqs 4', 'max-num-seqs=4', '-tp=4', '--Max-Num-Seqs=4', '--max_num_seqs=4', '', '--a=b\nc'].map(
    (value) => ({
      sentence: `the argument ${JSON.stringify(value)}`,
      ...args(value),
      answer: 'spec.args[0]: Invalid value: "string": write one vLLM argument in each item',
    }),
  ),
  ...[
    '--middleware=evil.Module',
    '--tool-parser-plugin=/tmp/x.py',
    '--reasoning-parser-plugin=/tmp/x.py',
    '--logits-processors=evil:Class',
    '--worker-cls=evil.Worker',
    '--worker-extension-cls=evil.Extension',
    '--trust-remote-code',
    '--config=/tmp/all.yaml',
    '--kv-transfer-config.kv_connector_module_path=evil',
    '--allowed-local-media-path=/',
    // Beginnings of a name, which vLLM's parser completes.
    '--trust-remote',
    '--middlewar=evil.Module',
    '--reasoning-parser-p=/tmp/x.py',
    '--structured-outputs-config={"reasoning_parser_plugin":"/tmp/x.py"}',
  ].map((value) => ({ sentence: `the argument ${value}`, ...args(value), answer: loadsCode })),
  ...[
    '--host=0.0.0.0',
    '--port=80',
    '--model=org/other',
    '--served-model-name=gpt-4',
    '--tensor-parallel-size=8',
    '--tensor-par=8',
    '--shutdown-timeout=0',
    '--api-key=secret',
    '--hf-token=hf_x',
    '--ssl-keyfile=/etc/key',
    '--ssl-certfile=/etc/cert',
  ].map((value) => ({ sentence: `the argument ${value}`, ...args(value), answer: setByInfer })),
  {
    sentence: 'a node label with a space',
    spec: { nodeSelector: { 'nvidia.com/gpu.product': 'NVIDIA A100' } },
    answer: 'spec.nodeSelector: Invalid value: "object": write labels as `kubectl get nodes --show-labels` prints them',
  },
  {
    sentence: 'a toleration of nothing',
    spec: { tolerations: [{ effect: 'NoSchedule' }] },
    answer: 'write the key of the taint, or operator Exists to tolerate every taint',
  },
  {
    sentence: 'a toleration of every value and one value',
    spec: { tolerations: [{ key: 'gpu', operator: 'Exists', value: 'x' }] },
    answer: 'operator Exists takes no value; remove value or write operator Equal',
  },
  {
    sentence: 'a time for a taint that does not evict',
    spec: { tolerations: [{ key: 'gpu', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 5 }] },
    answer: 'tolerationSeconds belongs to effect NoExecute; remove it',
  },
  {
    sentence: 'a taint with a space',
    spec: { tolerations: [{ key: 'my gpu', value: 'my value' }] },
    answer:
      'spec.tolerations[0].key: Invalid value: "string": write the key as `kubectl describe node` prints the taint',
  },
  {
    sentence: 'a value of a taint with a space',
    spec: { tolerations: [{ key: 'gpu', value: 'my value' }] },
    answer: 'spec.tolerations[0].value: Invalid value: "string": write the value as `kubectl describe node` prints',
  },
  {
    sentence: 'a topology key with a space',
    spec: { topologySpread: { topologyKey: 'my zone' } },
    answer: 'spec.topologySpread.topologyKey: Invalid value: "string": write the name of a label that nodes have',
  },
  {
    sentence: 'a runtime class in upper case',
    spec: { runtimeClassName: 'NVIDIA' },
    answer: 'spec.runtimeClassName: Invalid value: "string": write the name of a RuntimeClass',
  },
  {
    sentence: 'a priority class with a space',
    spec: { priorityClassName: 'very high' },
    answer: 'spec.priorityClassName: Invalid value: "string": write the name of a PriorityClass',
  },
  {
    sentence: 'a profile that nobody may use',
    spec: { allowedNamespaces: [] },
    answer: 'spec.allowedNamespaces: Invalid value: "array": name at least one namespace, or remove allowedNamespaces',
  },
  {
    sentence: 'namespaces by pattern',
    spec: { allowedNamespaces: ['*'] },
    answer: 'spec.allowedNamespaces[0]: Invalid value: "string": write the name of a namespace',
  },
  {
    sentence: 'a price as a number',
    spec: { price: { currency: 'USD', perGpuHour: 1.84 } },
    answer: 'spec.price.perGpuHour in body must be of type string',
  },
  {
    sentence: 'a price with its currency',
    spec: { price: { currency: 'USD', perGpuHour: '$1.84' } },
    answer: 'spec.price.perGpuHour: Invalid value: "string": write the price as a decimal number in quotes',
  },
  {
    sentence: 'a currency by its sign',
    spec: { price: { currency: '€', perGpuHour: '1.84' } },
    answer: 'spec.price.currency: Invalid value: "string": write the three capital letters',
  },
];
