import { beforeEach, expect, test } from '@jest/globals';
import type { InferenceBatch } from '../../api/generated/inference-batch.ts';
import type { Change } from '../../kube/informer.ts';
import { objectKey } from '../../kube/types.ts';
import { firstIdAt } from '../timed-ids.ts';
import { BatchView } from './batch-view.ts';

let cache: Map<string, InferenceBatch>;
let tell: (change: Change<InferenceBatch>) => void;
const NOW_MS = Date.UTC(2026, 10, 22);
/** What the API server has. */
let live: InferenceBatch | undefined;
let asked: number;
let view: BatchView;

beforeEach(() => {
  cache = new Map();
  live = undefined;
  asked = 0;
  view = new BatchView(
    {
      get: (ref) => cache.get(objectKey(ref)),
      list: () => [...cache.values()],
      onChange: (listener) => (tell = listener),
    },
    {
      get: async () => {
        asked += 1;
        return live as never;
      },
    },
    () => NOW_MS,
  );
});

function batch(name: string, resourceVersion: string): InferenceBatch {
  return {
    metadata: { namespace: 'team-a', name, resourceVersion },
    spec: { inputFileId: '', endpoint: '/v1/embeddings', apiKey: 'web' },
  };
}

/** The watch brings it. */
function watched(object: InferenceBatch): void {
  cache.set(objectKey(object.metadata), object);
  tell({ type: 'updated', object });
}

const versions = (): (string | undefined)[] => view.list('team-a').map(({ metadata }) => metadata.resourceVersion);
const found = async (): Promise<string | undefined> => (await view.find('team-a', 'a'))?.metadata.resourceVersion;

test('a write is there before the watch brings it, and after', async () => {
  view.note(batch('a', '2'));
  expect([await found(), versions()]).toEqual(['2', ['2']]);
  watched(batch('a', '1'));
  expect([await found(), versions()]).toEqual(['2', ['2']]);
  watched(batch('a', '2'));
  watched(batch('a', '3'));
  expect([await found(), versions()]).toEqual(['3', ['3']]);
});

test('a write that the watch was faster to bring is not kept over it', async () => {
  watched(batch('a', '3'));
  view.note(batch('a', '2'));
  expect([await found(), versions()]).toEqual(['3', ['3']]);
});

test('what was written and deleted is gone', async () => {
  view.note(batch('a', '2'));
  tell({ type: 'deleted', object: batch('a', '2') });
  expect([await found(), versions()]).toEqual([undefined, []]);
});

test.each([
  ['that was made just now', firstIdAt(NOW_MS), true],
  ['made a minute ago', firstIdAt(NOW_MS - 60_000), true],
  ['of a clock that is ahead', firstIdAt(NOW_MS + 60_000), true],
  ['of which the watch has told', firstIdAt(NOW_MS - 60_001), false],
  ['of no time yet', 'f'.repeat(32), false],
  ['that kubectl would have made', 'nightly', false],
])('a name %s that the cache does not have is asked for: %s, %s', async (_, name, expected) => {
  live = batch(name, '9');
  expect((await view.find('team-a', name))?.metadata.resourceVersion).toBe(expected ? '9' : undefined);
  expect(asked).toBe(expected ? 1 : 0);
});

test('writes of one namespace are in no other', () => {
  view.note(batch('a', '2'));
  expect(view.list('team-b')).toEqual([]);
});
