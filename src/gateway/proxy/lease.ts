import type { Replica } from '../types.ts';

/** One request's share of a replica's load. */
export interface Lease {
  readonly replica: Replica;
  /** Takes the share off the replica; once, however often it is called. */
  release(): void;
}

/** Puts one request of about `tokens` tokens on the replica's count. */
export function lease(replica: Replica, tokens: number, batch: boolean): Lease {
  replica.inFlight += 1;
  if (batch) replica.batchInFlight += 1;
  replica.outstandingTokens += tokens;
  let held = true;
  return {
    replica,
    release() {
      if (!held) return;
      held = false;
      replica.inFlight -= 1;
      if (batch) replica.batchInFlight -= 1;
      replica.outstandingTokens -= tokens;
    },
  };
}
