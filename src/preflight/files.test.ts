import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { DownloadFailure } from './failure.ts';
import {
  checkModelId,
  checkRevision,
  checkToken,
  chooseAdapterFiles,
  chooseFiles,
  type RepositoryFile,
} from './files.ts';

function file(path: string): RepositoryFile {
  return { path, size: 1, digest: { algorithm: 'git', hex: '0'.repeat(40) } };
}

function chosen(...paths: string[]): string[] {
  return chooseFiles('org/model', paths.map(file)).map(({ path }) => path);
}

function chosenOfAdapter(...paths: string[]): string[] {
  return chooseAdapterFiles('org/lora', paths.map(file)).map(({ path }) => path);
}

function reasonOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof DownloadFailure) return error.reason;
    throw error;
  }
  return undefined;
}

describe('the files of an adapter', () => {
  const CONFIG = 'adapter_config.json';
  const WEIGHTS = 'adapter_model.safetensors';
  test('are its weights and its configuration alone', () => {
    const others = ['README.md', 'tokenizer.json', 'adapter_model.bin', `checkpoint-10/${WEIGHTS}`, `../${CONFIG}`];
    expect(chosenOfAdapter(CONFIG, ...others, WEIGHTS)).toEqual([CONFIG, WEIGHTS]);
  });

  test.each([
    [[WEIGHTS], 'ModelRefused'],
    [['config.json', 'model.safetensors'], 'ModelRefused'],
    [[CONFIG, 'adapter_model.bin'], 'NoSafetensors'],
    [[CONFIG, WEIGHTS, WEIGHTS], 'ModelRefused'],
  ])('%j: %s', (paths, reason) => {
    expect(reasonOf(() => chosenOfAdapter(...paths))).toBe(reason);
  });
});

describe('the files of a model', () => {
  test('are weights as safetensors, configuration and tokenizer', () => {
    const wanted = [
      'model-00001-of-00002.safetensors',
      'model.safetensors.index.json',
      'config.json',
      'tokenizer.model',
      'vocab.txt',
      'merges.txt',
      'qwen.tiktoken',
      'chat_template.jinja',
      '1_Pooling/config.json',
      '2_Dense/model.safetensors',
    ];
    expect(chosen(...wanted)).toEqual(wanted);
  });

  test('are never pickles, code, other formats or other frameworks', () => {
    const unwanted = [
      'pytorch_model.bin',
      'consolidated.00.pth',
      'model.pt',
      'modeling_custom.py',
      'model-q4.gguf',
      'tf_model.h5',
      'README.md',
      '.gitattributes',
      '.cache/x.json',
      'original/model.safetensors',
      'original/params.json',
      'onnx/config.json',
      'metal/model.safetensors',
    ];
    expect(chosen('model.safetensors', ...unwanted)).toEqual(['model.safetensors']);
  });

  test('hold weights once where a repository has them in two layouts', () => {
    expect(chosen('model.safetensors', 'consolidated.safetensors')).toEqual(['model.safetensors']);
    expect(chosen('consolidated.safetensors', 'params.json')).toEqual(['consolidated.safetensors', 'params.json']);
  });

  test('without safetensors are refused', () => {
    expect(reasonOf(() => chosen('pytorch_model.bin', 'config.json'))).toBe('NoSafetensors');
  });

  test.each([
    '../evil.json',
    'a/../../evil.json',
    '/etc/evil.json',
    'a//b.json',
    './a.json',
    'a\\..\\b.json',
    'nul\u0000.json',
    'line\nend.json',
    'right\u202eto.json',
    `${'a'.repeat(300)}.json`,
    `${'abc/'.repeat(200)}a.json`,
  ])('with the name %j are refused', (path) => {
    expect(reasonOf(() => chosen('model.safetensors', path))).toBe('ModelRefused');
  });

  test('with any name lie in the directory of the model', () => {
    const segment = fc.oneof(fc.string(), fc.constantFrom('..', '.', '', 'a', '/', '\\', '\u0000'));
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1 }), (segments) => {
        const path = `${segments.join('/')}.json`;
        let paths: string[];
        try {
          paths = chosen('model.safetensors', path);
        } catch {
          return;
        }
        for (const good of paths) {
          expect(new URL(good.split('/').map(encodeURIComponent).join('/'), 'file:///model/').pathname).toMatch(
            /^\/model\/./,
          );
        }
      }),
    );
  });

  test('are not too many, and each is there once', () => {
    const many = Array.from({ length: 2_001 }, (_, index) => `${index}.json`);
    expect(reasonOf(() => chosen('model.safetensors', ...many))).toBe('ModelRefused');
    expect(reasonOf(() => chosen('model.safetensors', 'a.json', 'a.json'))).toBe('ModelRefused');
  });
});

describe('settings', () => {
  test.each(['meta-llama/Llama-3.1-8B-Instruct', 'a/b', '0x/y_z.w'])('%s is a model id', (id) => {
    expect(reasonOf(() => checkModelId(id))).toBeUndefined();
  });

  test.each(['gpt2', '/abs/path', 'a/b/c', '../x', 'a/..', 'a/b?x=1', 'https://x/y', 'a/b\n', '-a/b', ''])(
    '%j is none',
    (id) => {
      expect(reasonOf(() => checkModelId(id))).toBe('InvalidSettings');
    },
  );

  test.each(['main', 'v1.0', 'refs/pr/1', 'a'.repeat(40)])('%s is a revision', (revision) => {
    expect(reasonOf(() => checkRevision(revision))).toBeUndefined();
  });

  test.each(['', '../main', 'a..b', '-x', 'a b', 'a//b', '?x'])('%j is none', (revision) => {
    expect(reasonOf(() => checkRevision(revision))).toBe('InvalidSettings');
  });
});

describe('a token', () => {
  test('is taken without the line end of a file', () => {
    expect(checkToken('hf_abcDEF123\n')).toBe('hf_abcDEF123');
  });

  test.each(['', 'password', 'hf_', 'hf_a b', 'hf_a_b', 'ghp_abcdef', 'hf_abc\r\nX-Evil: 1', 'Bearer hf_abc'])(
    'is not %j, and the message does not tell',
    (value) => {
      expect(reasonOf(() => checkToken(value))).toBe('TokenInvalid');
      expect(() => checkToken(`secret${value}`)).not.toThrow(`secret`);
    },
  );
});
