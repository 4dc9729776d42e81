/** An API server with the kinds of crds/, and manifests tried on it by kubectl as a user would. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { readDefinitions } from '../../../src/api/schema.ts';
import type { Schema } from '../../../src/api/schema.ts';
import { run, tryRun } from '../../cluster/command.ts';
import { sharedKubeconfig } from '../../support/kube.ts';

/** The checkout. */
export const root = join(import.meta.dirname, '../../..');

/** The kinds of crds/. */
export const definitions = await readDefinitions(join(root, 'crds'));

/** The smallest valid spec of each kind. */
export const valid: Record<string, Record<string, unknown>> = {
  InferenceDeployment: { model: { id: 'org/name' } },
  HardwareProfile: {
    image: 'registry.example:5000/team/vllm:v0.32.0',
    resources: { requests: { cpu: 8, memory: '64Gi' } },
  },
  CatalogModel: { modelId: 'org/name' },
  InferenceBatch: { inputFileId: `file-${'0'.repeat(32)}`, endpoint: '/v1/chat/completions', apiKey: 'nightly-jobs' },
  APIKey: { keyId: '7f3k9q2m', hash: `sha256:${'0'.repeat(64)}` },
};

/** Returns a manifest as JSON, which kubectl takes as YAML. */
export function manifest(kind: string, spec: unknown, name = 'sample'): string {
  return JSON.stringify({ apiVersion: 'infer.dev/v1alpha1', kind, metadata: { name }, spec });
}

/** Returns the schema of a kind's spec. Throws an Error for a kind that crds/ does not hold. */
export function specSchema(kind: string): Schema {
  const spec = definitions.find((definition) => definition.kind === kind)?.schema.properties?.['spec'];
  if (spec === undefined) throw new Error(`crds/ has no ${kind}`);
  return spec;
}

/** A namespace of its own on an API server that serves the kinds of crds/. */
export interface Playground {
  /** The namespace that kubectl works in. */
  namespace: string;
  /** Runs kubectl, with `input` where it reads `-f -`, and returns its output. Throws an Error with what it said. */
  kubectl(args: string[], input?: string): Promise<string>;
  /** Runs kubectl and returns what a user reads when it is refused; empty when it is not. */
  refusal(args: string[], input?: string): Promise<string>;
  /** Tries to create a manifest, keeping nothing, and returns the refusal; empty when it is accepted. */
  tryCreate(input: string, ...args: string[]): Promise<string>;
  /** Removes the namespace and all in it. */
  remove(): Promise<void>;
}

/** Makes a playground on the control plane that the tier shares. */
export async function createPlayground(): Promise<Playground> {
  const command = process.env['INFER_TEST_KUBECTL'] ?? 'kubectl';
  const namespace = `api-${randomUUID().slice(0, 8)}`;
  const inNamespace = (args: string[]): string[] => ['--kubeconfig', sharedKubeconfig(), '-n', namespace, ...args];
  const kubectl = async (args: string[], input = ''): Promise<string> =>
    await run(command, inNamespace(args), { input });
  const refusal = async (args: string[], input = ''): Promise<string> => {
    const { code, stderr } = await tryRun(command, inNamespace(args), { input });
    return code === 0 ? '' : stderr;
  };
  await kubectl(['apply', '--server-side', '--force-conflicts', '-f', join(root, 'crds')]);
  const names = definitions.map(({ plural, group }) => `crd/${plural}.${group}`);
  await kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
  for (const name of ['infer-system', namespace]) {
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(object));
  }
  return {
    namespace,
    kubectl,
    refusal,
    tryCreate: async (input, ...args) => await refusal(['create', '--dry-run=server', '-f', '-', ...args], input),
    remove: async () => void (await kubectl(['delete', 'namespace', namespace, '--wait=false'])),
  };
}
