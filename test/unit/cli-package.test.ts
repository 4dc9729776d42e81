import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'infer-cli-package-'));
  const script = `import { buildCli } from './build/cli-package.ts'; await buildCli(${JSON.stringify(folder)});`;
  execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: ROOT, stdio: 'pipe' });
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

function read(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

test('the package has a name of its own, the command infer, and is published by nobody', () => {
  expect(JSON.parse(read('package.json'))).toMatchObject({
    name: '@infer-dev/cli',
    private: true,
    bin: { infer: 'infer.js' },
  });
  expect(read('README.md')).toMatch(/^# infer\n/);
});

test('it says whose code is in it, with the licences', () => {
  const notice = read('NOTICE');
  for (const name of ['undici', 'commander', '@kubernetes/client-node', 'yaml']) {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(notice).toContain(`\n${name} ${version}: `);
    expect(notice).toContain(readFileSync(join(ROOT, 'node_modules', name, 'LICENSE'), 'utf8').trim());
  }
  expect(notice).not.toContain('fastify');
});
