import { expect, test } from '@jest/globals';
import { inputLine } from '../../../test/support/batch-world.ts';
import { inputLines } from './input.ts';
import { validateInput } from './validate.ts';
import type { InputError } from './validate.ts';

async function errorsOf(content: string, modelExists = async () => false): Promise<InputError[]> {
  const rules = { endpoint: '/v1/chat/completions', lineBytes: 100_000, modelExists };
  const errors: InputError[] = [];
  for await (const error of validateInput(inputLines(pieces(content), rules.lineBytes), rules)) errors.push(error);
  return errors;
}

async function* pieces(content: string): AsyncGenerator<Buffer> {
  yield Buffer.from(content);
}

test.each([
  ['control characters', '\u0001'],
  ['halves of characters', '\uD800'],
  ['quotes', '"'],
  ['emoji', '\u{1F600}'],
  ['letters', 'x'],
])('names of %s leave every message short enough for the resource', async (_sentence, character) => {
  const name = character.repeat(500 / character.length);
  const model = name.slice(0, 255);
  const lines = [inputLine(name, {}, { model: `a${model}` }), inputLine(name, {}, { model: `b${model}` })];
  const errors = await errorsOf(lines.join('\n'));
  expect(errors.map(({ code }) => code)).toEqual(['model_not_found', 'mismatched_model', 'duplicate_custom_id']);
  for (const { message } of errors) expect(message.length).toBeLessThanOrEqual(512);
});

test('a model that is longer than any name is none: no gateway is asked for it', async () => {
  const asked: string[] = [];
  const errors = await errorsOf(inputLine('one', {}, { model: 'm'.repeat(257) }), async () => {
    asked.push('one');
    return true;
  });
  expect([errors.map(({ code, param }) => [code, param]), asked]).toEqual([[['model_not_found', 'body.model']], []]);
});

test('ids that are too long all together are refused at the first line that has one too many', async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => inputLine(String(index).padStart(500, '0')));
  const errors = (await errorsOf(lines.join('\n'))).filter(({ code }) => code !== 'model_not_found');
  expect(errors).toEqual([
    {
      code: 'invalid_value',
      message: 'The custom_ids have more than 8388608 bytes together. Write shorter ones, or split the file.',
      param: 'custom_id',
      line: 16_778,
    },
  ]);
});
