import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { createProgram } from '../program.ts';
import { candidates } from './words.ts';

const program = createProgram({
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  stdin: new PassThrough(),
  env: {},
  now: () => new Date(),
  signal: new AbortController().signal,
});

test.each([
  [[''], { words: expect.arrayContaining(['deploy', 'status']) }],
  [['-n', 'status', ''], { words: expect.arrayContaining(['deploy']) }],
  [['status', ''], { words: [], lookup: 'id' }],
  [['-n', 'team', 'status', ''], { words: [], lookup: 'id' }],
  [['status', 'chat', ''], { words: [] }],
  [['deploy', '-g', ''], { words: [], lookup: 'profile' }],
  [['deploy', ''], { words: [], lookup: 'model' }],
  [['deploy', '--min-replicas', '2', ''], { words: [], lookup: 'model' }],
  [['deploy', '--name=x', ''], { words: [], lookup: 'model' }],
  [['stop', '--f'], { words: expect.arrayContaining(['--force', '--namespace']) }],
  [['status', '-o', ''], { words: ['table', 'wide', 'json', 'yaml', 'name'] }],
  [['completion', ''], { words: ['bash', 'zsh', 'fish'] }],
])('%j', (words, expected) => {
  expect(candidates(program, words)).toEqual(expected);
});
