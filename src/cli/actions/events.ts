/** `infer events`. */
import { clusterEvents, eventsOf } from '../cluster/events.ts';
import { findDeployment } from '../cluster/find.ts';
import type { Context } from '../context.ts';
import { eventColumns } from '../output/events.ts';
import { printObjects, printTable } from '../output/objects.ts';

/** Prints the events of a deployment and its pods. Throws CliFailure. */
export async function events(context: Context, id: string): Promise<void> {
  const { metadata } = await findDeployment(context, id);
  const found = await eventsOf(context, { namespace: metadata.namespace ?? '', name: id });
  if (await printObjects(context, clusterEvents, found)) return;
  if (found.length === 0) return context.note(`There are no events of ${id}: Kubernetes keeps them for an hour.`);
  printTable(context, eventColumns(context.now()), found);
}
