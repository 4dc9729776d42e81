/** `infer delete`. */
import { createInterface } from 'node:readline/promises';
import { inferenceDeployments } from '../../api/resources.ts';
import { assertMayChange } from '../cluster/change.ts';
import { findDeployment } from '../cluster/find.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { Interrupted } from '../failure.ts';

/** Deletes the deployment after the user said yes. Throws CliFailure. */
export async function remove(context: Context, id: string, options: { yes?: boolean; force?: boolean }): Promise<void> {
  const deployment = await findDeployment(context, id);
  assertMayChange(context, deployment, options, 'Remove its manifest in Git.');
  const { namespace = '', uid } = deployment.metadata;
  if (options.yes !== true && !(await confirmed(context, id, namespace))) return context.note('Nothing was changed.');
  const client = await context.kube();
  await client.delete(inferenceDeployments, { namespace, name: id }, { uid, signal: context.signal });
  context.print(`${id} is deleted: its replicas finish their requests and end.`);
}

async function confirmed(context: Context, id: string, namespace: string): Promise<boolean> {
  if (context.stdin.isTTY !== true) {
    context.fail(`Nobody can be asked whether to delete ${id}.`, `Say it: infer delete ${id} --yes`, EXIT.wrongUse);
  }
  const lines = createInterface({ input: context.stdin, output: context.stderr });
  // Ctrl-C and Ctrl-D at the prompt come to it alone, and not as a signal.
  const closed = new AbortController();
  lines.once('close', () => closed.abort());
  const signal = AbortSignal.any([context.signal, closed.signal]);
  try {
    const question = `Delete ${id} in namespace ${namespace}? Its replicas end, and its id is free again. [y/N] `;
    return /^y(es)?$/i.test((await lines.question(question, { signal })).trim());
  } catch (error) {
    if (signal.aborted) throw new Interrupted('Nothing was changed.');
    throw error;
  } finally {
    lines.close();
  }
}
