import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { modelRenamer, withModel } from './model-name.ts';

describe('requests', () => {
  test('only the outermost model changes', () => {
    const body = '{ "a":{"model":"x"}, "model" :\t"x" , "messages":[{"model":"x","content":"\\"model\\":\\"x\\""}] }';
    expect(withModel(Buffer.from(body), 'y').toString()).toBe(body.replace('"model" :\t"x"', '"model" :\t"y"'));
  });

  test('an escaped key is a key, and the last of two counts', () => {
    expect(withModel(Buffer.from('{"model":"a","\\u006dodel":"b"}'), 'y').toString()).toBe(
      '{"model":"a","\\u006dodel":"y"}',
    );
  });

  test('whatever JSON it stands in, the model is replaced and all else stays', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.string(),
        fc.nat({ max: 3 }),
        (others, name, indent) => {
          const body = { ...others, model: name, z: 1 };
          const rewritten = withModel(Buffer.from(JSON.stringify(body, undefined, indent)), 'new "name"');
          expect(rewritten.toString()).toBe(JSON.stringify({ ...body, model: 'new "name"' }, undefined, indent));
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('answers', () => {
  test('without a difference nothing is searched', () => {
    expect(modelRenamer('a', 'a')).toBeUndefined();
  });

  test.each([
    ['data: {"id":"1","model":"a","x":1}\n\ndata: {"id":"2","model":"a"}\n\n'],
    ['{"model": "a", "choices":[{"text":"é🚀"}]}'],
  ])('every model in %p is renamed', (text) => {
    const renamed = modelRenamer('a', 'ns/a')?.(Buffer.from(text)).toString();
    expect(renamed).toBe(text.replaceAll('"a"', '"ns/a"'));
  });

  test('neither a longer name nor a text is touched', () => {
    const text = `{"model":"ab","text":${JSON.stringify('{"model":"a"}')}}`;
    expect(modelRenamer('a', 'ns/a')?.(Buffer.from(text)).toString()).toBe(text);
  });
});
