/** What of a batch is sent, beside what its process and its gateways do. */
import { expect, test } from '@jest/globals';
import { MemoryStore } from '../../../test/support/memory-store.ts';
import { inputLine } from '../../../test/support/batch-world.ts';
import { pause } from '../../kube/backoff.ts';
import { InputReader } from './input-reader.ts';
import { LineIndex } from './line-index.ts';
import { PartWriter } from './parts.ts';
import { RequestRun } from './run.ts';
import { Troubles } from './troubles.ts';

test('nothing is sent where room comes in the turn in which the batch is cancelled', async () => {
  const store = new MemoryStore();
  const content = inputLine('a');
  await store.put('input', Buffer.from(content));
  const lines = new LineIndex();
  lines.add(0, Buffer.byteLength(content), 'a');
  const cancel = new AbortController();
  const cut = new AbortController();
  const sent: string[] = [];
  let room = 0;
  const run = new RequestRun({
    onBehalf: { namespace: 'team-a', key: 'nightly' },
    endpoint: '/v1/chat/completions',
    lines,
    input: new InputReader(store, 'input', lines, cut.signal),
    done: new Set(),
    gateways: {
      send: async (_onBehalf, path) => {
        sent.push(path);
        return { status: 200, requestId: 'req', body: Buffer.from('{}'), retryAfterSeconds: undefined };
      },
    },
    rider: {
      acquire: async () => {
        room += 1;
        cancel.abort();
        return { answered: () => undefined, giveBack: () => void (room -= 1) };
      },
      finished: () => undefined,
      failed: () => undefined,
      pace: () => ({ replicas: 1, ratePerReplica: undefined }),
      leave: () => undefined,
    },
    parts: new PartWriter({ store, prefix: 'p/', claim: 'c', signal: cut.signal, onTrouble: () => undefined }),
    troubles: new Troubles(() => performance.now()),
    clock: { wall: () => Date.now(), monotonic: () => performance.now(), pause },
    noMore: cancel.signal,
    cut: cut.signal,
    onResult: () => undefined,
  });
  expect(await run.send()).toBe('sent');
  expect(sent).toEqual([]);
  expect(room).toBe(0);
});
