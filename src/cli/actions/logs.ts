/** `infer logs`. */
import { COMPONENT_LABEL, DEPLOYMENT_LABEL, REPLICA_COMPONENT } from '../../api/labels.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { ContainerStatus, Pod } from '../../api/kubernetes.ts';
import { pods } from '../../api/resources.ts';
import { findCondition } from '../../kube/conditions.ts';
import { splitLines } from '../../kube/lines.ts';
import { findDeployment, listAll } from '../cluster/find.ts';
import type { LogsOptions } from '../commands/logs.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { nearNames } from '../near.ts';
import { printable } from '../printable.ts';

const ENGINE = 'engine';
const DOWNLOAD = 'download';

/** Prints the logs of the replicas, with -f until they end or the user ends it. Throws CliFailure. */
export async function logs(context: Context, id: string, options: LogsOptions): Promise<void> {
  const deployment = await findDeployment(context, id);
  const client = await context.kube();
  const { namespace = '' } = deployment.metadata;
  const labelSelector = `${DEPLOYMENT_LABEL}=${id},${COMPONENT_LABEL}=${REPLICA_COMPONENT}`;
  const all = await listAll(client, pods, { namespace, labelSelector, signal: context.signal });
  if (all.length === 0) return noReplica(context, deployment);
  const chosen = chooseReplicas(context, all, options.replica);
  await Promise.all(
    chosen.map(async (pod) => {
      const prefix = chosen.length === 1 ? '' : `${pod.metadata.name.split('-').at(-1)}  `;
      await printLog(context, pod, prefix, options);
    }),
  );
}

function noReplica(context: Context, { metadata, status }: InferenceDeployment): never {
  const ready = findCondition(status?.conditions, 'Ready');
  return context.fail(
    `${metadata.name} has no replica: ${ready === undefined ? 'it is not looked at yet' : `${ready.reason}: ${ready.message}`}`,
    `See: infer status ${metadata.name}`,
    EXIT.notFound,
  );
}

function chooseReplicas(context: Context, all: readonly Pod[], wanted: string | undefined): Pod[] {
  if (wanted === undefined) return [...all];
  const chosen = all.filter(({ metadata: { name } }) => name === wanted || name.endsWith(`-${wanted}`));
  if (chosen.length > 0) return chosen;
  const names = all.map(({ metadata }) => metadata.name);
  const near = nearNames(wanted, names);
  return context.fail(
    `There is no replica ${wanted}.`,
    `There are: ${(near.length > 0 ? near : names).join(', ')}.`,
    EXIT.notFound,
  );
}

async function printLog(context: Context, pod: Pod, prefix: string, options: LogsOptions): Promise<void> {
  const client = await context.kube();
  const { name, namespace = '' } = pod.metadata;
  const container = options.previous === true ? ENGINE : writingContainer(pod);
  if (container === undefined) return context.note(`${prefix}${name} has not started yet.`);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/log`;
  const query = {
    container,
    follow: options.follow === true ? 'true' : undefined,
    previous: options.previous === true ? 'true' : undefined,
    tailLines: options.tail?.toString(),
  };
  try {
    for await (const line of splitLines(withNewline(client.stream(path, query, context.signal)))) {
      context.print(`${prefix}${context.isTerminal ? printable(line) : line}`);
    }
  } catch (error) {
    // Ctrl-C is how -f is ended.
    if (!(context.signal.aborted && options.follow === true)) throw error;
  }
}

/** Returns the container that has something to say; undefined before any has started. */
function writingContainer({ status }: Pod): string | undefined {
  if (hasStarted(status?.containerStatuses, ENGINE)) return ENGINE;
  return hasStarted(status?.initContainerStatuses, DOWNLOAD) ? DOWNLOAD : undefined;
}

function hasStarted(statuses: readonly ContainerStatus[] | undefined, container: string): boolean {
  const found = statuses?.find(({ name }) => name === container);
  if (found === undefined) return false;
  return found.restartCount > 0 || found.state?.running !== undefined || found.state?.terminated !== undefined;
}

/** A program that ended in the middle of a line wrote that, too. */
async function* withNewline(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
  yield Buffer.from('\n');
}
