import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { forceUsage } from './stream-options.ts';

const FORCED = { include_usage: true, continuous_usage_stats: true };

function forced(text: string): { text: string; shown: string } {
  const { bytes, shown } = forceUsage(Buffer.from(text), JSON.parse(text) as Record<string, unknown>);
  return { text: bytes.toString(), shown };
}

describe('usage is asked for in each event', () => {
  test.each([
    ['absent', '{"model":"a","stream":true}', 'none'],
    ['null', '{"stream_options":null,"model":"a"}', 'none'],
    ['empty', '{"stream_options": {} ,"model":"a"}', 'none'],
    ['false', '{"stream_options":{"include_usage":false},"model":"a"}', 'none'],
    ['true', '{"stream_options":{"include_usage":true},"model":"a"}', 'final'],
    ['what vLLM takes for true', '{"stream_options":{"include_usage":"yes","continuous_usage_stats":1}}', 'each'],
    ['both', '{"stream_options":{"include_usage":true,"continuous_usage_stats":true}}', 'each'],
    ['the second without the first', '{"stream_options":{"continuous_usage_stats":true}}', 'none'],
    ['twice', '{"stream_options":{"include_usage":true},"model":"a","stream_options":{"include_usage":false}}', 'none'],
    ['twice within', '{"stream_options":{"include_usage":true,"include_usage":false}}', 'none'],
    ['escaped', '{"stream\\u005foptions":{"include\\u005fusage":true}}', 'final'],
    ['nested elsewhere', '{"a":{"stream_options":{"include_usage":true}},"b":"\\"stream_options\\":1"}', 'none'],
  ])('where options are %s', (_, text, shown) => {
    const result = forced(text);
    expect(result.shown).toBe(shown);
    expect(JSON.parse(result.text)).toMatchObject({ stream_options: FORCED });
  });

  test("the client's other options stay, and all other bytes", () => {
    const text = '{ "seed":9007199254740993,"stream_options" : {"chunk":3} , "x":"\\u00e9é"}';
    expect(forced(text).text).toBe(text.replace('{"chunk":3}', JSON.stringify({ chunk: 3, ...FORCED })));
    expect(forced('\n {"seed":9007199254740993}').text).toBe(
      `\n {"stream_options":${JSON.stringify(FORCED)},"seed":9007199254740993}`,
    );
  });

  test.each(['"yes"', '[]', '3', 'true'])('options that are %s are the engine’s to refuse', (value) => {
    const text = `{"stream_options":${value}}`;
    expect(forced(text)).toEqual({ text, shown: 'none' });
  });

  test('whatever JSON they stand in', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.nat({ max: 3 }),
        fc.boolean(),
        (others, indent, given) => {
          // By way of JSON, which has no -0.
          const all = JSON.parse(JSON.stringify({ ...others, model: 'a' })) as Record<string, unknown>;
          const { stream_options: _, ...body } = all;
          const asked = given ? { ...body, stream_options: { other: 1 } } : body;
          const expected = { ...body, stream_options: { ...(given && { other: 1 }), ...FORCED } };
          expect(JSON.parse(forced(JSON.stringify(asked, undefined, indent)).text)).toEqual(expected);
        },
      ),
    );
  });
});
