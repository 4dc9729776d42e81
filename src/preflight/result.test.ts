import { describe, expect, test } from '@jest/globals';
import { formatResult, parseResult, type ModelFacts } from './result.ts';

const COMMIT = 'a'.repeat(40);
const FACTS: ModelFacts = { commit: COMMIT, weightBytes: 16, totalBytes: 20, gated: false, adapters: [] };

/** The termination message of these facts, with a part replaced. */
function message(changes: object): string {
  return JSON.stringify({ facts: { ...FACTS, ...changes } });
}

describe('a result', () => {
  test.each<[string, ModelFacts]>([
    ['the least', FACTS],
    [
      'everything',
      {
        ...FACTS,
        contextLength: 131_072,
        gated: true,
        license: 'llama3.1',
        architecture: 'LlamaForCausalLM',
        quantization: 'fp8',
        dtype: 'bfloat16',
        attention: { layers: 32, kvHeads: 8, headDim: 128 },
        adapters: [{ name: 'sql', commit: COMMIT, bytes: 30, rank: 16 }],
      },
    ],
  ])('of %s is read as it was written', (_, facts) => {
    expect(parseResult(formatResult({ facts }))).toEqual({ facts });
  });

  test('with as many adapters as a spec may have fits, with the longest of everything', () => {
    const words = 'x'.repeat(128);
    const most = Number.MAX_SAFE_INTEGER;
    const adapters = Array.from({ length: 32 }, (_, index) => ({
      name: `a${'b'.repeat(37)}${String(index).padStart(2, '0')}`,
      commit: COMMIT,
      bytes: 999_999_999_999,
      rank: 512,
    }));
    const facts = { ...FACTS, weightBytes: most, totalBytes: most, contextLength: 16_777_216, adapters };
    const attention = { layers: 10_000, kvHeads: 10_000, headDim: 100_000 };
    const longest = { ...facts, attention, license: words, architecture: 'y'.repeat(64), dtype: 'bfloat16' };
    expect(parseResult(formatResult({ facts: longest }))).toEqual({ facts: longest });
  });

  test('of a failure keeps reason and message, cut to its length', () => {
    const failure = { reason: 'ModelGated' as const, message: 'm'.repeat(5_000) };
    expect(parseResult(formatResult({ failure }))).toEqual({ failure: { ...failure, message: 'm'.repeat(1_000) } });
  });

  test.each(['\u0000', '"', '\u20ac', '\u{1f600}', '\ud800'])(
    'of a failure fits, with a message of %j',
    (character) => {
      const failure = { reason: 'Unexpected' as const, message: `The ${character.repeat(5_000)}` };
      expect(parseResult(formatResult({ failure }))).toMatchObject({ failure: { reason: 'Unexpected' } });
    },
  );

  test('drops what it does not know, and what would change a prototype', () => {
    const text = message({}).replace('{"commit"', '{"__proto__":{"gated":true},"constructor":1,"later":[1],"commit"');
    const result = parseResult(text);
    expect(result).toEqual({ facts: FACTS });
    expect(Object.getPrototypeOf(result && 'facts' in result ? result.facts : [])).toBe(Object.prototype);
    expect(({} as { gated?: boolean }).gated).toBeUndefined();
  });
});

describe('a termination message that the program does not write is none:', () => {
  test.each([
    ['no text', undefined],
    ['an empty text', ''],
    ['words', 'OOMKilled'],
    ['another value', '[]'],
    ['null', 'null'],
    ['deep nesting', '['.repeat(2_000)],
    ['more than Kubernetes keeps', message({ later: 'x'.repeat(4_096) })],
    ['more bytes than Kubernetes keeps', message({ later: 'é'.repeat(2_048) })],
    ['no facts', '{}'],
    ['facts that are none', '{"facts":[]}'],
    ['facts under __proto__ alone', '{"__proto__":{"facts":{}}}'],
    ['a commit that is none', message({ commit: 'main' })],
    ['an upper-case commit', message({ commit: 'A'.repeat(40) })],
    ['a size as text', message({ weightBytes: '16' })],
    ['a negative size', message({ totalBytes: -1 })],
    ['half a byte', message({ totalBytes: 0.5 })],
    ['more bytes than can be counted', message({ weightBytes: 2 ** 53 })],
    ['infinitely many bytes', message({}).replace('"weightBytes":16', '"weightBytes":1e999')],
    ['a context of nothing', message({ contextLength: 0 })],
    ['a context beyond any', message({ contextLength: 1e12 })],
    ['gated as text', message({ gated: 'manual' })],
    ['a long licence', message({ license: 'x'.repeat(129) })],
    ['a licence of two lines', message({ license: 'mit\nReady=True' })],
    ['a class name with an escape', message({ architecture: 'Llama\u001b[31m' })],
    ['a shape that lacks a number', message({ attention: { layers: 1, kvHeads: 1 } })],
    ['a shape with a huge number', message({ attention: { layers: 1, kvHeads: 1, headDim: 1e9 } })],
    ['no adapters', message({ adapters: undefined })],
    ['too many adapters', message({ adapters: Array.from({ length: 33 }, () => ['a', COMMIT, 1, 8]) })],
    ['an adapter with a name that no spec has', message({ adapters: [['A b', COMMIT, 1, 8]] })],
    ['an adapter of a rank that is none', message({ adapters: [['a', COMMIT, 1, 0]] })],
    ['an unknown reason', '{"failure":{"reason":"Fine","message":"m"}}'],
    ['a reason from the prototype', '{"failure":{"reason":"constructor","message":"m"}}'],
    ['a failure without a message', '{"failure":{"reason":"ModelGated","message":""}}'],
    ['a long message', JSON.stringify({ failure: { reason: 'ModelGated', message: 'm'.repeat(1_001) } })],
  ])('%s', (_, text) => {
    expect(parseResult(text)).toBeUndefined();
  });
});
