import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

test('every manifest that the README shows is an example, and examples are applied by tests', () => {
  const shown = [...read('README.md').matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml]) => yaml);
  expect(shown).toEqual([read('examples/gated-model.yaml')]);
});

test('every make target that the README names exists', () => {
  const named = [...read('README.md').matchAll(/\bmake (?:-s )?([a-z][a-z0-9-]*)/g)].map(([, target]) => target);
  const targets = [...read('Makefile').matchAll(/^([a-z][a-z0-9 -]*):/gm)].flatMap(([, names]) => names?.split(' '));
  expect(named.filter((target) => !targets.includes(target))).toEqual([]);
  expect(named).toEqual(expect.arrayContaining(['demo', 'test']));
});
