/** Brings what was used to the batch process, which keeps it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { NO_USAGE_REPORT, USAGE_PATH, type UsageReport } from '../../channel/usage-report.ts';
import { pause } from '../../kube/backoff.ts';
import { describeError } from '../../kube/errors.ts';
import type { BatchUpstream } from '../proxy/batch-process.ts';
import type { UsageLedger } from './ledger.ts';
import type { Meter } from './meter.ts';
import type { MeterMetrics } from './metrics.ts';

/** With the time that a report may take, a crash loses less than a minute. */
const INTERVAL_MS = 20_000;
const ANSWER_MS = 10_000;
/** Reports under way at a time: one that waits for the store does not hold up those of other namespaces. */
export const REPORTS_TOGETHER = 4;
/** For what is left at the end; part of what the pod's grace period has beyond the drain. */
const LAST_MS = 6_000;
const LAST_RETRY_MS = 500;

export interface ReporterOptions {
  readonly upstream: BatchUpstream;
  readonly ledger: UsageLedger;
  readonly meter: Meter;
  readonly metrics: Pick<MeterMetrics, 'dropped'>;
  readonly logger: Logger;
  /** In Unix milliseconds. */
  readonly now: () => number;
  readonly intervalMs?: number;
  /** How long a report may take. */
  readonly answerMs?: number;
}

/** Sends what changed from time to time; what was not taken is sent again. */
export class UsageReporter {
  readonly #options: ReporterOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failing = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Sends the rest, for which there are some seconds, and lets go of the connection. Call it when no request is left. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    const { ledger, logger, now, upstream } = this.#options;
    const over = AbortSignal.timeout(LAST_MS);
    while (!(await this.#round(over)) && !over.aborted) {
      await delay(LAST_RETRY_MS, undefined, { signal: over }).catch(() => undefined);
    }
    const lost = ledger.pending(now()).toArray().length;
    if (lost > 0) logger.error({ reports: lost }, 'the batch process did not take the last of what was used');
    await upstream.dispatcher.destroy();
  }

  async #run(): Promise<void> {
    const { intervalMs = INTERVAL_MS } = this.#options;
    while (!this.#stop.signal.aborted) {
      await pause(intervalMs, this.#stop.signal);
      if (!this.#stop.signal.aborted) await this.#round(this.#stop.signal);
    }
  }

  /** Sends all that is not stored; false where some of it is left. */
  async #round(signal: AbortSignal): Promise<boolean> {
    const { ledger, meter, now } = this.#options;
    meter.settle();
    const reports = ledger.pending(now());
    let failure: string | undefined;
    let unreachable = false;
    const sendInTurn = async (): Promise<void> => {
      for (let next = reports.next(); next.done !== true; next = reports.next()) {
        const sent = await this.#send(next.value, signal);
        failure = sent.failure ?? failure;
        if (sent.unreachable) unreachable = true;
        if (unreachable) return;
      }
    };
    await Promise.all(Array.from({ length: REPORTS_TOGETHER }, sendInTurn));
    if (!this.#stop.signal.aborted) this.#note(failure);
    return failure === undefined;
  }

  /** `failure` says why it is still to be stored; others need not be tried where the process is `unreachable`. */
  async #send(
    report: UsageReport,
    signal: AbortSignal,
  ): Promise<{ failure: string | undefined; unreachable: boolean }> {
    const { ledger, answerMs = ANSWER_MS } = this.#options;
    const { dispatcher, origin } = this.#options.upstream;
    const patience = AbortSignal.timeout(answerMs);
    try {
      const { statusCode, body } = await dispatcher.request({
        origin,
        path: USAGE_PATH,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(report),
        signal: AbortSignal.any([signal, patience]),
      });
      if (statusCode === 400) {
        const answer = await body.text();
        if (codeOf(answer) !== NO_USAGE_REPORT) return { failure: 'status 400', unreachable: false };
        this.#giveUp(report, answer);
        return { failure: undefined, unreachable: false };
      }
      await body.dump();
      if (statusCode === 204) ledger.stored(report);
      return { failure: statusCode === 204 ? undefined : `status ${statusCode}`, unreachable: false };
    } catch (error) {
      // One object of the store may take long where others do not.
      return { failure: describeError(error), unreachable: signal.aborted || !patience.aborted };
    }
  }

  /** It would be refused again and again, with all that its rows get. */
  #giveUp(report: UsageReport, answer: string): void {
    const { ledger, logger, metrics } = this.#options;
    const rows = ledger.refused(report);
    metrics.dropped(rows);
    const { namespace, hour, part } = report;
    logger.error(
      { namespace, hour, part, rows, answer },
      'the batch process refuses a report of what was used: it is given up',
    );
  }

  /** Tells the log once that what was used is not taken, and once that it is again. */
  #note(failure: string | undefined): void {
    if (this.#failing === (failure !== undefined)) return;
    this.#failing = failure !== undefined;
    const { logger } = this.#options;
    if (this.#failing) logger.warn({ error: failure }, 'the batch process does not take what was used: it is kept');
    else logger.info({}, 'the batch process takes what was used again');
  }
}

function codeOf(answer: string): unknown {
  try {
    return (JSON.parse(answer) as { error?: { code?: unknown } | null } | null)?.error?.code;
  } catch {
    return undefined;
  }
}
