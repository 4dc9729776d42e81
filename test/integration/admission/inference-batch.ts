import type { Mistake } from './mistake.ts';

/** Mistakes in the spec of an InferenceBatch. */
export const batchMistakes: Mistake[] = [
  {
    sentence: 'an id of another service',
    spec: { inputFileId: 'file-abc123' },
    answer: 'spec.inputFileId: Invalid value: "string": write the id that the upload answered with',
  },
  {
    sentence: 'a key itself instead of its name',
    spec: { apiKey: 'infer_7f3k9q2m_secret' },
    answer: 'spec.apiKey: Invalid value: "string": write the name of an APIKey of this namespace',
  },
  {
    sentence: 'an endpoint that no batch has',
    spec: { endpoint: '/v1/moderations' },
    answer: 'spec.endpoint: Unsupported value: "/v1/moderations": supported values: "/v1/chat/completions"',
  },
  {
    sentence: 'another window',
    spec: { completionWindow: '48h' },
    answer: 'spec.completionWindow: Unsupported value: "48h": supported values: "24h"',
  },
  {
    sentence: 'much metadata',
    spec: { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`name-${at}`, ''])) },
    answer: 'spec.metadata: Too many: 17: must have at most 16 items',
  },
];
