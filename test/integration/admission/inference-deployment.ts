import type { Mistake } from './mistake.ts';

/** Mistakes in the spec of an InferenceDeployment. */
export const deploymentMistakes: Mistake[] = [
  { sentence: 'no model', spec: { model: undefined }, answer: 'spec.model: Required value' },
  { sentence: 'an empty model', spec: { model: {} }, answer: 'write exactly one of model.id (a model on Hugging Face' },
  {
    sentence: 'both an id and a claim',
    spec: { model: { id: 'org/name', claim: { name: 'weights' } } },
    answer: 'write exactly one of model.id (a model on Hugging Face',
  },
  ...[
    ['an empty model id', ''],
    ['a blank model id', '   '],
    ['the URL of a model', 'https://huggingface.co/org/name'],
    ['a model id without organisation', 'gpt2'],
    ['a model id with a space at the end', 'org/name '],
    ['a model id in another script', 'org/модель'],
    ['a model id that leaves its folder', 'org/..'],
    ['a model id that would name another cache folder', 'org/a--b'],
    ['a path as a model id', '/models/llama'],
    ['a model id with a line break', 'org/name\nx'],
  ].map(([sentence = '', id]) => ({
    sentence,
    spec: { model: { id } },
    answer: 'spec.model.id: Invalid value: "string": write ORGANISATION/NAME as on the Hugging Face page',
  })),
  {
    sentence: 'a revision that leaves its folder',
    spec: { model: { id: 'org/name', revision: 'refs/../x' } },
    answer: 'spec.model.revision: Invalid value: "string": write a branch, tag or commit',
  },
  {
    sentence: 'a revision with a claim',
    spec: { model: { claim: { name: 'weights' }, revision: 'main' } },
    answer: 'spec.model.revision: Forbidden: a revision belongs to a model from Hugging Face',
  },
  {
    sentence: 'a token with a claim',
    spec: { model: { claim: { name: 'weights' }, tokenSecretRef: { name: 'hf' } } },
    answer: 'spec.model.tokenSecretRef: Forbidden: a token is only used to download',
  },
  {
    sentence: 'the token itself instead of the name of its Secret',
    spec: { model: { id: 'org/name', tokenSecretRef: { name: 'hf_AbCdEf' } } },
    answer: 'spec.model.tokenSecretRef.name: Invalid value: "string": write the name of a Secret',
  },
  {
    sentence: 'a Secret without name',
    spec: { model: { id: 'org/name', tokenSecretRef: { key: 'token' } } },
    answer: 'spec.model.tokenSecretRef.name: Required value',
  },
  {
    sentence: 'a key that no Secret can have',
    spec: { model: { id: 'org/name', tokenSecretRef: { name: 'hf', key: 'my token' } } },
    answer: 'spec.model.tokenSecretRef.key: Invalid value: "string": write a key of the Secret',
  },
  {
    sentence: 'a claim in upper case',
    spec: { model: { claim: { name: 'Weights' } } },
    answer: 'spec.model.claim.name: Invalid value: "string": write the name of a PersistentVolumeClaim',
  },
  ...['/models/llama', '../other', 'a/../../b', 'a//b', './a', '', 'a b'].map((path) => ({
    sentence: `the path ${JSON.stringify(path)} in a claim`,
    spec: { model: { claim: { name: 'weights', path } } },
    answer: 'spec.model.claim.path: Invalid value: "string": write the folder of the model relative to the root',
  })),
  {
    sentence: 'a profile in upper case',
    spec: { hardwareProfile: 'GPU.A100' },
    answer: 'spec.hardwareProfile: Invalid value: "string": write the name of a HardwareProfile, for example gpu.a100',
  },
  {
    sentence: 'a negative number of replicas',
    spec: { minReplicas: -1 },
    answer: 'spec.minReplicas in body should be greater than or equal to 0',
  },
  {
    sentence: 'a million replicas',
    spec: { minReplicas: 1e6 },
    answer: 'spec.minReplicas in body should be less than or equal to 1000',
  },
  {
    sentence: 'half a replica',
    spec: { minReplicas: 1.5 },
    answer: 'spec.minReplicas in body must be of type integer',
  },
  {
    sentence: 'fewer replicas at most than at least',
    spec: { minReplicas: 3, maxReplicas: 2 },
    answer: 'maxReplicas must be at least minReplicas; raise maxReplicas',
  },
  {
    sentence: 'no time to wait for a replica',
    spec: { holdTimeoutSeconds: 0 },
    answer: 'spec.holdTimeoutSeconds in body should be greater than or equal to 1',
  },
  {
    sentence: 'a target of no requests',
    spec: { scaling: { targetRps: 0 } },
    answer: 'spec.scaling.targetRps in body should be greater than 0',
  },
  {
    sentence: 'an adapter with a name that is no name',
    spec: { adapters: [{ name: 'My Adapter', id: 'org/lora' }] },
    answer: 'spec.adapters[0].name: Invalid value: "string": write a name that starts with a letter',
  },
  {
    sentence: 'an adapter from a URL',
    spec: { adapters: [{ name: 'sql', id: 'https://x/y' }] },
    answer: 'spec.adapters[0].id: Invalid value: "string": write ORGANISATION/NAME',
  },
  {
    sentence: 'an adapter at a revision that leaves its folder',
    spec: { adapters: [{ name: 'sql', id: 'org/lora', revision: '..' }] },
    answer: 'spec.adapters[0].revision: Invalid value: "string": write a branch, tag or commit',
  },
  {
    sentence: 'two adapters of one name',
    spec: {
      adapters: [
        { name: 'sql', id: 'org/a' },
        { name: 'sql', id: 'org/b' },
      ],
    },
    answer: 'spec.adapters[1]: Duplicate value',
  },
  ...['a/b', 'a:b', 'Sql', ''].map((name) => ({
    sentence: `an adapter with the name ${JSON.stringify(name)}`,
    spec: { adapters: [{ name, id: 'org/lora' }] },
    answer: 'spec.adapters[0].name: Invalid value: "string": write a name that starts with a letter',
  })),
  {
    sentence: 'an adapter with the name of its deployment',
    spec: { adapters: [{ name: 'sample', id: 'org/lora' }] },
    answer: "spec.adapters holds an adapter with the deployment's own name; write a name that says what it adapts to",
  },
  {
    sentence: 'an adapter with the name of an alias',
    spec: { aliases: ['llama', 'sql'], adapters: [{ name: 'sql', id: 'org/lora' }] },
    answer: 'spec.adapters: Invalid value: "object": an adapter has the name of an alias; write another name for it',
  },
  ...[
    ['with nothing but a name', { name: 'sql' }],
    ['from a volume', { name: 'sql', path: 'loras/sql' }],
    ['from a volume, too', { name: 'sql', id: 'org/lora', path: 'loras/sql' }],
  ].map(([sentence = '', adapter]) => ({
    sentence: `an adapter ${sentence as string} for a model from Hugging Face`,
    spec: { adapters: [{ name: 'other', id: 'org/other' }, adapter] },
    answer:
      'spec.adapters: Invalid value: "object": with a model from Hugging Face (model.id) each adapter comes from there',
  })),
  {
    sentence: 'an adapter from Hugging Face for a model from a volume',
    spec: { model: { claim: { name: 'weights' } }, adapters: [{ name: 'sql', id: 'org/lora' }] },
    answer:
      'spec.adapters: Invalid value: "object": with a model from a volume (model.claim) each adapter comes from that',
  },
  {
    sentence: 'a revision of an adapter from a volume',
    spec: { model: { claim: { name: 'weights' } }, adapters: [{ name: 'sql', path: 'sql', revision: 'main' }] },
    answer: 'spec.adapters[0].revision: Forbidden: a revision belongs to an adapter from Hugging Face (id)',
  },
  ...['/loras/sql', '../sql', 'a//b', './a', ''].map((path) => ({
    sentence: `the path ${JSON.stringify(path)} of an adapter`,
    spec: { model: { claim: { name: 'weights' } }, adapters: [{ name: 'sql', path }] },
    answer: 'spec.adapters[0].path: Invalid value: "string": write the folder of the adapter relative to the root',
  })),
  ...['org/llama', 'llama:sql', '-llama', 'llama ', ''].map((alias) => ({
    sentence: `the alias ${JSON.stringify(alias)}`,
    spec: { aliases: [alias] },
    answer: 'spec.aliases[0]: Invalid value: "string": write a name of letters, digits',
  })),
  {
    sentence: 'its own name as an alias',
    spec: { aliases: ['llama', 'sample'] },
    answer: "spec.aliases holds the deployment's own name, which clients may send anyway; remove it there.",
  },
  {
    sentence: 'an alias twice',
    spec: { aliases: ['llama', 'llama'] },
    answer: 'spec.aliases[1]: Duplicate value: "llama"',
  },
  {
    sentence: 'keys from a namespace by pattern',
    spec: { allowKeysFrom: ['team-*'] },
    answer: 'spec.allowKeysFrom[0]: Invalid value: "string": write the name of a namespace',
  },
  {
    sentence: 'keys from a namespace twice',
    spec: { allowKeysFrom: ['team-b', 'team-b'] },
    answer: 'spec.allowKeysFrom[1]: Duplicate value: "team-b"',
  },
  {
    sentence: 'a number format of another engine',
    spec: { engine: { dtype: 'fp16' } },
    answer: 'spec.engine.dtype: Invalid value: "string": write one of auto, half, float16, bfloat16',
  },
  {
    sentence: 'a quantization in upper case',
    spec: { engine: { quantization: 'FP8' } },
    answer:
      'spec.engine.quantization: Invalid value: "string": write the name of a vLLM quantization method in lower case',
  },
  {
    sentence: 'a file as tool-call parser',
    spec: { engine: { toolCallParser: '/models/parser.py' } },
    answer: 'spec.engine.toolCallParser: Invalid value: "string": write the name of a parser that vLLM ships',
  },
  {
    sentence: 'an argument smuggled in as reasoning parser',
    spec: { engine: { reasoningParser: 'x --trust-remote-code' } },
    answer: 'spec.engine.reasoningParser: Invalid value: "string": write the name of a parser that vLLM ships',
  },
  {
    sentence: 'more than all of the GPU memory',
    spec: { engine: { gpuMemoryUtilizationPercent: 120 } },
    answer: 'spec.engine.gpuMemoryUtilizationPercent in body should be less than or equal to 99',
  },
  {
    sentence: 'GPU memory as a fraction',
    spec: { engine: { gpuMemoryUtilizationPercent: 0.92 } },
    answer: 'spec.engine.gpuMemoryUtilizationPercent in body must be of type integer',
  },
  {
    sentence: 'a label with a space in its name',
    spec: { podLabels: { 'cost center': 'x' } },
    answer: 'spec.podLabels: Invalid value: "object": write each label\'s name as at most 63 letters',
  },
  {
    sentence: 'a label whose name is too long',
    spec: { podLabels: { ['x'.repeat(64)]: 'x' } },
    answer: 'spec.podLabels: Invalid value: "object": write each label\'s name as at most 63 letters',
  },
  {
    sentence: 'a label with a space in its value',
    spec: { podLabels: { team: 'a b' } },
    answer: 'spec.podLabels: Invalid value: "object": write each label\'s value as at most 63 letters',
  },
  ...['pod-template-hash', 'controller-revision-hash'].map((name) => ({
    sentence: `the reserved label ${name}`,
    spec: { podLabels: { [name]: 'x' } },
    answer: 'spec.podLabels: Forbidden: pod-template-hash and controller-revision-hash are reserved; choose a name',
  })),
  ...['infer.dev/deployment', 'kueue.x-k8s.io/queue-name', 'example.com/team', '/team', 'sidecar.istio.io/inject'].map(
    (name) => ({
      sentence: `the label ${name} with a prefix`,
      spec: { podLabels: { [name]: 'x' } },
      answer:
        'spec.podLabels: Forbidden: label names with a prefix are not supported by this version of Infer yet; write',
    }),
  ),
  {
    sentence: 'a restart at a time that is none',
    spec: { restartedAt: 'now' },
    answer: 'spec.restartedAt in body must be of type date-time',
  },
  {
    sentence: 'a word for yes',
    spec: { suspend: 'yes' },
    answer: 'spec.suspend in body must be of type boolean',
  },
];
