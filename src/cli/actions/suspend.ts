/** `infer stop` and `infer start`: spec.suspend. */
import { inferenceDeployments } from '../../api/resources.ts';
import { changeSpec } from '../cluster/change.ts';
import { findDeployment } from '../cluster/find.ts';
import { waitUntilReady } from '../cluster/wait.ts';
import type { WaitOptions } from '../commands/spec-options.ts';
import type { Context } from '../context.ts';
import { printObject } from '../output/objects.ts';

/** Ends the replicas of a deployment. Throws CliFailure. */
export async function stop(context: Context, id: string, options: { force?: boolean }): Promise<void> {
  const deployment = await findDeployment(context, id);
  if (deployment.spec.suspend === true) return context.note(`${id} is stopped already.`);
  const changed = await changeSpec(context, deployment, { suspend: true }, options);
  if (await printObject(context, inferenceDeployments, changed)) return;
  context.print(`${id} is stopped: its replicas finish their requests and end, its resource stays.`);
  context.note(`Start it again: infer start ${id}`);
}

/** Lets the replicas of a deployment run again, and waits for them with --wait. Throws CliFailure. */
export async function start(context: Context, id: string, options: WaitOptions & { force?: boolean }): Promise<void> {
  let deployment = await findDeployment(context, id);
  if (deployment.spec.suspend === true) {
    deployment = await changeSpec(context, deployment, { suspend: false }, options);
  } else if (options.wait !== true) {
    return context.note(`${id} is not stopped. See how it is: infer status ${id}`);
  }
  if (options.wait === true) {
    deployment = await waitUntilReady(
      context,
      { namespace: deployment.metadata.namespace ?? '', name: id },
      options.timeout,
    );
  }
  if (await printObject(context, inferenceDeployments, deployment)) return;
  context.print(options.wait === true ? `${id} serves.` : `${id} starts.`);
  if (options.wait !== true) context.note(`Wait for it: infer start ${id} --wait`);
}
