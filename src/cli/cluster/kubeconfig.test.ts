import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { openCluster } from './kubeconfig.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'infer-kubeconfig-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, port: number, contexts: Record<string, string>, current?: string): string {
  const path = join(folder, name);
  const text = stringify({
    clusters: [{ name: 'one', cluster: { server: `https://127.0.0.1:${port}` } }],
    users: [{ name: 'ann', user: { token: name } }],
    contexts: Object.entries(contexts).map(([context, namespace]) => ({
      name: context,
      context: { cluster: 'one', user: 'ann', namespace },
    })),
    ...(current !== undefined && { 'current-context': current }),
  });
  writeFileSync(path, text);
  return path;
}

test('of several kubeconfigs the first of a name counts, and the first current context that is set', async () => {
  const files = [
    file('a', 1, { shared: 'of-a' }),
    file('b', 2, { shared: 'of-b', own: 'of-b' }, 'own'),
    file('c', 3, {}, 'shared'),
  ];
  const { kubeConfig, client, namespace } = openCluster({ KUBECONFIG: files.join(delimiter) }, {});
  expect(namespace).toBe('of-b');
  expect(kubeConfig.getCurrentCluster()?.server).toBe('https://127.0.0.1:1');
  expect(kubeConfig.getCurrentUser()?.token).toBe('a');
  expect(kubeConfig.getContexts().map((one) => `${one.name} ${one.namespace}`)).toEqual(['shared of-a', 'own of-b']);
  await client.close();
});
