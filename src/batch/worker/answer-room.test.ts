import { expect, test } from '@jest/globals';
import { withRoomForAnswers } from './answer-room.ts';
import type { Rider } from './lanes.ts';

test('a request takes room for an answer as long as those before, less and less of one that was longer', async () => {
  const taken: number[] = [];
  const acquire: Rider['acquire'] = async (bytes) => {
    taken.push(bytes);
    return { answered: () => undefined, giveBack: () => undefined };
  };
  let bytes = 0;
  const send = async () => ({ status: 200, requestId: 'r', body: Buffer.alloc(bytes), retryAfterSeconds: undefined });
  const { rider, gateways } = withRoomForAnswers({ acquire } as Rider, { send });
  const { signal } = new AbortController();
  const request = async (answerBytes: number): Promise<void> => {
    await rider.acquire(10, signal);
    bytes = answerBytes;
    await gateways.send({ namespace: 'team-a', key: 'nightly' }, '/v1/embeddings', Buffer.from('{}'), signal);
  };
  for (const answerBytes of [1000, 100_000, 1000, 1000]) await request(answerBytes);
  for (let times = 0; times < 300; times += 1) await request(1000);
  expect(taken.slice(0, 4)).toEqual([10, 1010, 100_010, 98_010]);
  expect(taken.at(-1)).toBe(1010);
});
