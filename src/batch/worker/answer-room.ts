/** Memory for answers, which is taken before the requests are sent. */
import type { BatchGateways } from '../gateway.ts';
import type { Rider } from './lanes.ts';

/** What remains of the estimate from one answer to the next: a single long one is not to slow down a whole batch. */
const KEPT_SHARE = 0.98;

/**
 * Returns the same rider and gateways, but that a request takes room for its answer too, until its result is durable: as much
 * as the answers of this batch that came lately, of which the largest counts. Before the first there is no estimate, and the
 * gateways' own bound of an answer is what holds.
 */
export function withRoomForAnswers(
  rider: Rider,
  gateways: Pick<BatchGateways, 'send'>,
): { rider: Rider; gateways: Pick<BatchGateways, 'send'> } {
  let answerBytes = 0;
  return {
    rider: {
      ...rider,
      acquire: async (bytes, signal) => await rider.acquire(bytes + Math.ceil(answerBytes), signal),
    },
    gateways: {
      send: async (...request) => {
        const answer = await gateways.send(...request);
        answerBytes = Math.max(answer.body.length, KEPT_SHARE * answerBytes);
        return answer;
      },
    },
  };
}
