import type { Mistake } from './mistake.ts';

/** Mistakes in the spec of a CatalogModel. */
export const catalogueMistakes: Mistake[] = [
  {
    sentence: 'a model without organisation',
    spec: { modelId: 'gpt2' },
    answer: 'spec.modelId: Invalid value: "string": write ORGANISATION/NAME',
  },
  {
    sentence: 'a profile with a space',
    spec: { hardwareProfile: 'gpu a100' },
    answer: 'spec.hardwareProfile: Invalid value: "string": write the name of a HardwareProfile',
  },
  {
    sentence: 'engine settings that no deployment could have',
    spec: { engine: { dtype: 'int4', quantization: '?', toolCallParser: '?', reasoningParser: '?' } },
    answer: 'spec.engine.dtype: Invalid value: "string": write one of auto, half',
  },
  {
    sentence: 'remote code at a branch',
    spec: { remoteCode: { revision: 'main' } },
    answer: 'spec.remoteCode.revision: Invalid value: "string": write the full commit of 40 hexadecimal digits',
  },
  {
    sentence: 'remote code',
    spec: { remoteCode: { revision: '0'.repeat(40) } },
    answer: 'spec.remoteCode: Forbidden: remoteCode is not supported by this version of Infer yet; remove it',
  },
];

/** Mistakes in the spec of an APIKey. */
export const keyMistakes: Mistake[] = [
  {
    sentence: 'the key itself as its public part',
    spec: { keyId: 'infer_7f3k9q2m_secret' },
    answer: 'spec.keyId: Invalid value: "string": write the public part of the key',
  },
  {
    sentence: 'the key itself as its hash',
    spec: { hash: 'infer_7f3k9q2m_secret' },
    answer: 'spec.hash: Invalid value: "string": write sha256: and the 64 hexadecimal digits',
  },
  {
    sentence: 'an unknown scope',
    spec: { scopes: ['everything'] },
    answer: 'spec.scopes[0]: Unsupported value: "everything": supported values: "inference", "files", "view", "admin"',
  },
  {
    sentence: 'no scope',
    spec: { scopes: [] },
    answer: 'spec.scopes: Invalid value: "array": name at least one of inference, files, view and admin',
  },
  {
    sentence: 'no deployment',
    spec: { deployments: [] },
    answer: 'spec.deployments: Invalid value: "array": name at least one deployment',
  },
  {
    sentence: 'deployments by pattern',
    spec: { deployments: ['llama-*'] },
    answer: 'spec.deployments[0]: Invalid value: "string": write the name of an InferenceDeployment',
  },
  {
    sentence: 'all deployments of another namespace',
    spec: { deployments: ['team-b/'] },
    answer:
      'spec.deployments[0]: Invalid value: "string": write the name of an InferenceDeployment, for example llama-8b, or',
  },
  {
    sentence: 'a limit of nothing',
    spec: { requestsPerMinute: 0 },
    answer: 'spec.requestsPerMinute in body should be greater than or equal to 1',
  },
  ...Object.entries({ requestsPerMinute: 600, tokensPerMinute: 200_000, maxStreams: 20 }).map(([field, value]) => ({
    sentence: `${field}, which no version does yet`,
    spec: { [field]: value },
    answer: `spec.${field}: Forbidden: ${field} is not supported by this version of Infer yet; remove it`,
  })),
  {
    sentence: 'an end on a day without time',
    spec: { expiresAt: '2027-01-01' },
    answer: 'spec.expiresAt in body must be of type date-time',
  },
];
