import type { Context } from '../context.ts';
import { VERSION } from '../version.ts';

/** Prints the versions of infer and of the cluster. */
export async function version(context: Context, options: { client?: boolean }): Promise<void> {
  context.print(`infer ${VERSION} (Node ${process.version})`);
  if (options.client === true) return;
  const client = await context.kube();
  const answer = JSON.parse(await client.getText('/version', {}, { signal: context.signal })) as {
    gitVersion?: string;
  };
  context.print(`Kubernetes ${answer.gitVersion ?? 'of an unknown version'}`);
}
