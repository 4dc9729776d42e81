/** What follows from the end of an attempt. */
import { engineAnswer } from '../engine-errors.ts';
import { engineFailed, replicasUnreachable, upstreamLost, upstreamTimeout, type GatewayError } from '../errors.ts';
import type { FailureReason, Outcome } from './reply-readers.ts';

export interface Verdict {
  /** What the client is told when nobody is asked any more. */
  readonly error: GatewayError;
  /** Why it went wrong, as a label of metrics. */
  readonly reason: string;
  /** Another replica may do better. */
  readonly retry: boolean;
  /** What it says about the replica: nothing, one failure of several to come, or that it must not be asked again soon. */
  readonly replica: 'fine' | 'failed' | 'leaving';
  /** It is worth asking the same replica again at once: the connection broke, which a kept-alive one does now and then. */
  readonly sameReplica: boolean;
  /** It is worth to wait for a replica where no other serves. */
  readonly hold: boolean;
  /** The failed attempt's work is gone with its replica or connection: another attempt adds no load to what there was. */
  readonly workLost: boolean;
}

type Failure = Exclude<Outcome, { kind: 'complete' } | { kind: 'client-gone' }>;

/** Judges an attempt that did not give the client its answer. */
export function judge(outcome: Failure, context: { model: string; bodyBytes: number }): Verdict {
  if (outcome.kind === 'answer') return judgeAnswer(outcome.status, outcome.body, context);
  const { reason } = outcome;
  const base = { reason, retry: true, replica: 'failed', sameReplica: false, hold: true, workLost: false } as const;
  const verdicts: Record<FailureReason, Verdict> = {
    connect: { ...base, error: replicasUnreachable(context.model), workLost: true },
    reset: { ...base, error: upstreamLost(), sameReplica: true, workLost: true },
    truncated: { ...base, error: upstreamLost() },
    unresponsive: { ...base, error: upstreamLost(), workLost: true },
    aborted: { ...base, error: upstreamLost(), replica: 'leaving' },
    first_byte_timeout: { ...base, error: upstreamTimeout(), hold: false },
    timeout: { ...base, error: upstreamTimeout(), retry: false },
    malformed: { ...base, error: engineFailed(), retry: false },
  };
  return verdicts[reason];
}

function judgeAnswer(status: number, body: Buffer, context: { model: string; bodyBytes: number }): Verdict {
  const { error, retry } = engineAnswer(status, body, context);
  const base = { error, retry: retry !== undefined, sameReplica: false, workLost: false } as const;
  if (retry === undefined) {
    // A broken engine answers fast and so looks the least busy: its errors count, or it would get nearly everything.
    return error.status >= 500
      ? { ...base, reason: 'engine_error', replica: 'failed', hold: false }
      : { ...base, reason: 'refused', replica: 'fine', hold: false };
  }
  // An overloaded one works, at its limit: leaving it out would move its load to the others. One of another revision
  // lacks an adapter, and nothing else.
  if (retry === 'overloaded' || retry === 'other_revision')
    return { ...base, reason: retry, replica: 'fine', hold: false };
  return { ...base, reason: retry, replica: retry === 'draining' ? 'leaving' : 'failed', hold: true };
}
