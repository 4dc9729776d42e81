/** Waits until a deployment serves, and shows how far it is. */
import { inferenceDeployments } from '../../api/resources.ts';
import type { InferenceDeployment } from '../../api/generated/inference-deployment.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { CliFailure, Interrupted } from '../failure.ts';
import { healthOf } from '../health.ts';
import type { Health } from '../health.ts';
import { duration } from '../output/durations.ts';
import { Progress } from '../output/progress.ts';
import { observe } from './observe.ts';

/** What fails must fail for so long: after a change, the state of before is told for a moment. */
const FAILING_MS = 5000;

/**
 * Returns the deployment as soon as it serves. Throws CliFailure (4) with the diagnosis where it fails, is stopped or
 * deleted meanwhile, or does not serve within `timeoutSeconds`, and Interrupted after Ctrl-C; the deployment stays.
 */
export async function waitUntilReady(
  context: Context,
  ref: { namespace: string; name: string },
  timeoutSeconds: number,
): Promise<InferenceDeployment> {
  const client = await context.kube();
  const over = new AbortController();
  let last: Health = { state: 'waiting', reason: 'Pending', message: "Infer's operator has not seen it yet." };
  const end = (why: 'timeout' | 'failed'): void => over.abort(why);
  const timeout = setTimeout(end, timeoutSeconds * 1000, 'timeout');
  let failing: NodeJS.Timeout | undefined;
  const progress = new Progress(context);
  try {
    const signal = AbortSignal.any([context.signal, over.signal]);
    for await (const deployment of observe(client, inferenceDeployments, ref, signal)) {
      if (deployment === undefined) throw deleted(ref.name);
      last = healthOf(deployment);
      progress.update(progressText(deployment, last));
      if (last.state === 'ready') return deployment;
      if (last.state === 'stopped') throw notReady(ref.name, last, 'is stopped', `Start it: infer start ${ref.name}`);
      if (last.state === 'failing') {
        failing ??= setTimeout(end, FAILING_MS, 'failed');
      } else {
        clearTimeout(failing);
        failing = undefined;
      }
    }
    throw deleted(ref.name);
  } catch (error) {
    if (context.signal.aborted) {
      throw new Interrupted(`Waits no longer; ${ref.name} goes on in the cluster. See: infer status ${ref.name}`);
    }
    if (!over.signal.aborted) throw error;
    const what = over.signal.reason === 'timeout' ? `does not serve after ${duration(timeoutSeconds)}` : 'cannot serve';
    throw notReady(
      ref.name,
      last,
      what,
      `See: infer status ${ref.name}, infer events ${ref.name}, infer logs ${ref.name}`,
    );
  } finally {
    clearTimeout(timeout);
    clearTimeout(failing);
    progress.end();
  }
}

/** Returns one line: the phase, its reason, and how much of the model is there. */
export function progressText({ metadata, status }: InferenceDeployment, { reason, message }: Health): string {
  const percent = status?.model?.downloadedPercent;
  const done = reason === 'Downloading' && percent !== undefined ? ` (${percent}%)` : '';
  const { ready = 0, desired = 0 } = status?.replicas ?? {};
  const replicas = desired > 1 ? ` [${ready} of ${desired} replicas]` : '';
  return `${metadata.name}: ${reason}${done}: ${message}${replicas}`;
}

function notReady(name: string, { reason, message }: Health, what: string, next: string): CliFailure {
  return new CliFailure(`${name} ${what}: ${reason}: ${message}`, next, EXIT.notReady);
}

function deleted(name: string): CliFailure {
  return new CliFailure(`${name} was deleted meanwhile.`, 'See: infer status', EXIT.notReady);
}
