import { describe, expect, test } from '@jest/globals';
import { repositoryInfo } from './repository-info.ts';

const SHA = '0e9e39f249a16976918f6564b8830bc894c89659';

describe('what the hub says of a repository', () => {
  test.each([
    ['little', { sha: SHA }, { gated: false, license: undefined, float32Parameters: undefined }],
    [
      'that it is gated',
      { sha: SHA, gated: 'manual', cardData: { license: 'llama3.1' } },
      { gated: true, license: 'llama3.1' },
    ],
    [
      'a licence by its own name',
      { sha: SHA, cardData: { license: 'other', license_name: 'qwen' } },
      { license: 'qwen' },
    ],
    ['several licences', { sha: SHA, cardData: { license: ['mit', 'apache-2.0'] } }, { license: 'mit' }],
    ['a licence that goes on', { sha: SHA, cardData: { license: 'x'.repeat(500) } }, { license: 'x'.repeat(128) }],
    ['a licence that is none', { sha: SHA, cardData: { license: { id: 'mit' } } }, { license: undefined }],
    [
      'no floats of 32 bits',
      { sha: SHA, safetensors: { parameters: { BF16: 7 }, total: 7 } },
      { float32Parameters: 0 },
    ],
    ['some', { sha: SHA, safetensors: { parameters: { BF16: 7, F32: 3 } } }, { float32Parameters: 3 }],
    ['half of one', { sha: SHA, safetensors: { parameters: { F32: 0.5 } } }, { float32Parameters: undefined }],
    ['nonsense about them', { sha: SHA, safetensors: { parameters: { F32: '3' } } }, { float32Parameters: undefined }],
  ])('%s', (_, body, expected) => {
    expect(repositoryInfo(body)).toMatchObject({ commit: SHA, ...expected });
  });

  test.each([undefined, null, 'text', [], {}, { sha: 'main' }, { sha: SHA.toUpperCase() }, { sha: [SHA] }])(
    '%j is no answer of a hub',
    (body) => {
      expect(repositoryInfo(body)).toBeUndefined();
    },
  );
});
