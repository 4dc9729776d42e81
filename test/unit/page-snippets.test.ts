import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { snippets } from '../../src/dashboard/data/snippets.ts';

const URL = 'https://infer.example.com/v1';

test('each names the address, the model and the variable of the key', () => {
  for (const { code } of snippets(URL, 'team-b/qwen:sql')) {
    expect(code).toContain(URL);
    expect(code).toContain('"team-b/qwen:sql"');
    expect(code).toContain('INFER_API_KEY');
  }
});

test('a shell gives curl what was meant, whatever the name', () => {
  const name = `it's "$HOME" \`id\` \\`;
  const [curl] = snippets(URL, name);
  const script = `curl() { printf '%s\\0' "$@"; }\n${curl?.code ?? ''}`;
  const given = execFileSync('sh', ['-c', script], { encoding: 'utf8', env: { INFER_API_KEY: 'k' } }).split('\0');
  expect(given[0]).toBe(`${URL}/chat/completions`);
  expect(given).toContain('Authorization: Bearer k');
  expect(JSON.parse(given[given.indexOf('-d') + 1] ?? '')).toMatchObject({ model: name });
});
