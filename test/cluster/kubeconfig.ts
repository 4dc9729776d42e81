import { readFile, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import type { KeyPair } from './certificates.ts';

/** What a kubeconfig is made from. */
export interface KubeconfigInput {
  /** The name of cluster and context. */
  name: string;
  /** `https://HOST:PORT` of the API server. */
  url: string;
  caFile: string;
  client: KeyPair;
}

async function encoded(path: string): Promise<string> {
  return (await readFile(path)).toString('base64');
}

/** Writes a kubeconfig with everything embedded, so that the file can be copied, readable by its owner only. */
export async function writeKubeconfig(file: string, input: KubeconfigInput): Promise<void> {
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: input.name,
        cluster: { server: input.url, 'certificate-authority-data': await encoded(input.caFile) },
      },
    ],
    users: [
      {
        name: input.name,
        user: {
          'client-certificate-data': await encoded(input.client.certificateFile),
          'client-key-data': await encoded(input.client.keyFile),
        },
      },
    ],
    contexts: [{ name: input.name, context: { cluster: input.name, user: input.name } }],
    'current-context': input.name,
  };
  await writeFile(file, stringify(kubeconfig), { mode: 0o600 });
}
