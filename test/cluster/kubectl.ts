import { ensureBinaries } from './binaries.ts';
import { findCommand, run } from './command.ts';
import { gpuLabels, gpuStatusPatch } from './gpus.ts';

/** A way to a cluster: the program and the path of a kubeconfig. */
export interface Access {
  kubectl: string;
  kubeconfig: string;
}

/** Runs kubectl and returns its output. Throws with what it said when it fails. */
export async function kubectl(access: Access, args: string[], input?: string): Promise<string> {
  const all = ['--kubeconfig', access.kubeconfig, ...args];
  return await run(access.kubectl, all, { timeoutMs: 120_000, ...(input === undefined ? {} : { input }) });
}

/** Returns the command line of `kubectl` with these arguments for a person, who may have neither on the PATH. */
export function commandLine(access: Access, args: string[]): string {
  return [access.kubectl, '--kubeconfig', access.kubeconfig, ...args].join(' ');
}

/** Applies the objects as they are, taking over fields that others have set. */
export async function applyObjects(access: Access, objects: object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await kubectl(access, ['apply', '--server-side', '--force-conflicts', '-f', '-'], list);
}

/** Makes the node claim `count` GPUs; safe to repeat. */
export async function simulateGpus(access: Access, node: string, count: number): Promise<void> {
  const patch = async (body: object, ...more: string[]): Promise<string> =>
    await kubectl(access, ['patch', 'node', node, '--type=merge', '-p', JSON.stringify(body), ...more]);
  await patch({ metadata: { labels: gpuLabels(count) } });
  await patch(gpuStatusPatch(count), '--subresource=status');
}

/** Returns the path of kubectl: the machine's own, or else one that is built. */
export async function findKubectl(progress: (line: string) => void): Promise<string> {
  return findCommand('kubectl') ?? (await ensureBinaries(['kubectl'], progress)).kubectl;
}
