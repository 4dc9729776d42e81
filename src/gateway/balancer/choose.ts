/** Which replica gets a request: the one with the least work of this gateway. */
import type { Replica, ReplicaPicker } from '../types.ts';

/**
 * Returns the serving replica with the fewest outstanding tokens, of those the one with the fewest requests in flight,
 * and of equal ones the next in turn: `turn` is any whole number from 0 that grows from request to request, so that an
 * idle deployment's requests are spread and not all sent to its first replica. None of `exclude` (pod UIDs) is chosen,
 * and one that is draining only where no other can be: it still serves, and a request on it delays its going.
 */
export function choose(replicas: readonly Replica[], exclude: ReadonlySet<string>, turn: number): Replica | undefined {
  return leastBusy(replicas, exclude, turn, false) ?? leastBusy(replicas, exclude, turn, true);
}

/** Two passes instead of a list: this runs for every request. */
function leastBusy(
  replicas: readonly Replica[],
  exclude: ReadonlySet<string>,
  turn: number,
  draining: boolean,
): Replica | undefined {
  const isAllowed = (replica: Replica): boolean =>
    replica.serving && replica.draining === draining && !exclude.has(replica.podUid);
  let least: Replica | undefined;
  let equal = 0;
  for (const replica of replicas) {
    if (!isAllowed(replica)) continue;
    const order = least === undefined ? -1 : compareWork(replica, least);
    if (order < 0) {
      least = replica;
      equal = 1;
    } else if (order === 0) equal += 1;
  }
  if (least === undefined || equal === 1) return least;
  let skip = turn % equal;
  for (const replica of replicas) {
    if (!isAllowed(replica) || compareWork(replica, least) !== 0) continue;
    if (skip === 0) return replica;
    skip -= 1;
  }
  return least;
}

/** Returns a picker that takes equal replicas in turn; `start` is where, for several gateways not to go in step. */
export function createPicker(start: number): ReplicaPicker {
  let turn = start;
  return (replicas, _request, exclude) => {
    turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
    return choose(replicas, exclude, turn);
  };
}

function compareWork(a: Replica, b: Replica): number {
  return a.outstandingTokens - b.outstandingTokens || a.inFlight - b.inFlight;
}
