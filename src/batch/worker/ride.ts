/** The longest part of a batch: its requests are sent until all have a result, or it is cancelled, or its window is over. */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { untilAborted } from '../../kube/abortable.ts';
import { withRoomForAnswers } from './answer-room.ts';
import { contentKey } from '../files/file-object.ts';
import type { DeploymentName } from '../gateway.ts';
import type { WorkerClock } from './access.ts';
import { onBehalfOf } from './check-input.ts';
import { InputReader } from './input-reader.ts';
import { batchPrefix } from './keys.ts';
import type { Rider } from './lanes.ts';
import type { LineIndex } from './line-index.ts';
import { PartWriter, claimName } from './parts.ts';
import { CANCELLING, Progress } from './progress.ts';
import { RequestRun } from './run.ts';
import { EXPIRED_CODE } from './seal.ts';
import type { Results } from './seal.ts';
import { enterState, windowEnd } from './state.ts';
import type { StatusWriter } from './status-writer.ts';
import { Troubles } from './troubles.ts';
import type { Orders, WorkOptions } from './work-options.ts';

const LOOK_AT_WINDOW_MS = 1000;

export interface Trip {
  readonly status: StatusWriter;
  readonly lines: LineIndex;
  /** What earlier claims came to. */
  readonly before: Results;
  readonly deployment: DeploymentName;
  readonly signals: Pick<Orders, 'cancel'> & {
    /** Aborts when nothing more may be done for the batch. */
    readonly dead: AbortSignal;
    /** Aborts when the process is to stop: what is in flight is finished. */
    readonly ending: AbortSignal;
  };
}

/** Returns whether each request has a result now; not where the process stops. Throws the reason of `signals.dead`. */
export async function ride(options: WorkOptions, trip: Trip): Promise<boolean> {
  const rider = options.lanes.join(trip.deployment, windowEnd(trip.status.batch));
  try {
    return await travel(options, trip, rider);
  } finally {
    rider.leave();
  }
}

async function travel(options: WorkOptions, trip: Trip, rider: Rider): Promise<boolean> {
  const { signals, status } = trip;
  const troubles = new Troubles(() => options.clock.monotonic());
  const progress = progressOf(options, trip, rider, troubles);
  const expiry = new AbortController();
  const run = runOf(options, trip, { rider, troubles, progress, expired: expiry.signal });
  const arrived = new AbortController();
  const over = AbortSignal.any([arrived.signal, signals.dead]);
  progress.start(over);
  const watching = watchWindow(windowEnd(status.batch), options.clock, expiry, over);
  const announcing = announceCancel(trip, options.clock, progress, over);
  try {
    const outcome = isCancelled(trip) ? 'sent' : await run.send();
    signals.dead.throwIfAborted();
    const reason = reasonToGiveUp(trip, expiry.signal, outcome);
    if (reason !== undefined) await run.giveUp(...reason);
    else if (signals.ending.aborted) return false;
    return true;
  } finally {
    arrived.abort();
    await Promise.all([watching, announcing, progress.stop()]);
  }
}

/** Returns code and message for the requests that have no result and will have none; undefined where there are none. */
function reasonToGiveUp(
  trip: Trip,
  expired: AbortSignal,
  outcome: 'sent' | 'input-gone',
): [code: string, message: string] | undefined {
  if (isCancelled(trip)) return ['batch_cancelled', 'The batch was cancelled before this request was done.'];
  if (expired.aborted) return [EXPIRED_CODE, 'The request was not done within the completion window of the batch.'];
  if (outcome === 'sent') return undefined;
  return ['input_file_deleted', 'The input file was deleted or has expired before this request was sent.'];
}

function isCancelled({ signals, status }: Trip): boolean {
  return signals.cancel.aborted || status.batch.spec.cancel === true;
}

function progressOf(options: WorkOptions, trip: Trip, rider: Rider, troubles: Troubles): Progress {
  const { clock, logger, otherWork } = options;
  const { status, before, lines, deployment } = trip;
  const { uid } = status.batch.metadata;
  return new Progress({
    status,
    clock,
    logger,
    troubles,
    before,
    total: lines.size,
    pace: () => rider.pace(),
    otherWork: () => otherWork(deployment, uid),
  });
}

function runOf(
  options: WorkOptions,
  trip: Trip,
  parts: { rider: Rider; troubles: Troubles; progress: Progress; expired: AbortSignal },
): RequestRun {
  const { store, clock } = options;
  const { status, lines, before, signals } = trip;
  const { troubles, progress, expired } = parts;
  const { rider, gateways } = withRoomForAnswers(parts.rider, options.gateways);
  const { batch } = status;
  const noMore = AbortSignal.any([signals.dead, signals.ending, signals.cancel, expired]);
  const cut = AbortSignal.any([signals.dead, expired]);
  setMaxListeners(0, noMore, cut);
  return new RequestRun({
    onBehalf: onBehalfOf(batch),
    endpoint: batch.spec.endpoint,
    lines,
    input: new InputReader(store, contentKey(batch.metadata.namespace ?? '', batch.spec.inputFileId), lines, cut),
    done: before.customIds,
    gateways,
    rider,
    parts: new PartWriter({
      store,
      prefix: batchPrefix(batch),
      claim: claimName(clock.wall(), randomBytes(6).toString('hex')),
      signal: signals.dead,
      onTrouble: (trouble) => troubles.set('store', trouble),
    }),
    troubles,
    clock,
    noMore,
    cut,
    onResult: (result) => progress.add(result),
  });
}

/** Aborts `expiry` once the window is over by the wall's clock, however that got there. */
async function watchWindow(
  endMs: number,
  clock: WorkerClock,
  expiry: AbortController,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    if (clock.wall() >= endMs) return expiry.abort(new Error('the window is over'));
    await clock.pause(LOOK_AT_WINDOW_MS, over);
  }
}

/** Shows at once that the batch is being cancelled: what is in flight may take long. */
async function announceCancel(trip: Trip, clock: WorkerClock, progress: Progress, over: AbortSignal): Promise<void> {
  const { signals, status } = trip;
  if (!isCancelled(trip)) await untilAborted(AbortSignal.any([signals.cancel, over]));
  if (!isCancelled(trip) || signals.dead.aborted) return;
  const now = new Date(clock.wall());
  await progress.announce(async () => {
    await status.change((batch) => enterState(batch, 'Cancelling', CANCELLING, now, { neededReplicas: 0 }));
  });
}
