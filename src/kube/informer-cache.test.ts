import { beforeEach, describe, expect, test } from '@jest/globals';
import { InformerCache } from './informer-cache.ts';
import type { FullList } from './informer-cache.ts';
import type { KubeObject } from './types.ts';

let changes: string[];
let cache: InformerCache<KubeObject>;

beforeEach(() => {
  changes = [];
  cache = new InformerCache<KubeObject>(
    {
      node: ({ metadata }) => {
        if (metadata.labels?.['node'] === 'broken') throw new Error('a bug');
        return [metadata.labels?.['node'] ?? ''];
      },
    },
    ({ type, object }) => {
      changes.push(`${type} ${object.metadata.uid}@${object.metadata.resourceVersion}`);
    },
    (key) => changes.push(`not indexed ${key}`),
  );
});

function object(uid: string, resourceVersion: string, node = ''): KubeObject {
  return { metadata: { namespace: 'n', name: 'x', uid, resourceVersion, labels: { node } } };
}

function list(resourceVersion: string, ...objects: KubeObject[]): FullList<KubeObject> {
  return {
    resourceVersion,
    unreadable: new Set(),
    items: new Map(objects.map((entry) => [`n/${entry.metadata.name}`, entry])),
  };
}

describe('events in any order', () => {
  test.each<[string, (() => void)[], string[]]>([
    ['repeated', [() => cache.put(object('a', '5')), () => cache.put(object('a', '5'))], ['added a@5']],
    [
      'an older state after a newer one',
      [() => cache.put(object('a', '7')), () => cache.put(object('a', '5'))],
      ['added a@7'],
    ],
    [
      'a state after the deletion that followed it',
      [() => cache.put(object('a', '5')), () => cache.remove(object('a', '9')), () => cache.put(object('a', '7'))],
      ['added a@5', 'deleted a@5'],
    ],
    [
      'a new object after the deletion of the old one',
      [() => cache.put(object('a', '5')), () => cache.remove(object('a', '9')), () => cache.put(object('b', '10'))],
      ['added a@5', 'deleted a@5', 'added b@10'],
    ],
    [
      'the deletion of the old object after the new one came',
      [() => cache.put(object('a', '5')), () => cache.put(object('b', '10')), () => cache.remove(object('a', '9'))],
      ['added a@5', 'deleted a@5', 'added b@10'],
    ],
    [
      'a deletion that comes again after the object came back into the selection',
      [
        () => cache.put(object('a', '5')),
        () => cache.remove(object('a', '9')),
        () => cache.put(object('a', '12')),
        () => cache.remove(object('a', '9')),
      ],
      ['added a@5', 'deleted a@5', 'added a@12'],
    ],
    [
      'a deletion whose version is no number',
      [() => cache.put(object('a', 'x')), () => cache.remove(object('a', 'x'))],
      ['added a@x', 'deleted a@x'],
    ],
    [
      'the deletion of what was never seen',
      [() => cache.remove(object('a', '9')), () => cache.put(object('a', '8'))],
      [],
    ],
    [
      'states whose versions are no numbers, as they come',
      [() => cache.put(object('a', 'x')), () => cache.put(object('a', 'y'))],
      ['added a@x', 'updated a@y'],
    ],
  ])('%s', (_title, steps, expected) => {
    for (const step of steps) step();
    expect(changes).toEqual(expected);
  });
});

describe('a full list', () => {
  test('adds, updates and deletes what differs', () => {
    cache.put(object('a', '5'));
    cache.merge(list('20', object('a', '12')));
    cache.merge(list('30'));
    expect(changes).toEqual(['added a@5', 'updated a@12', 'deleted a@12']);
  });

  test('does not delete what was made after it, nor bring back what was deleted after it', () => {
    cache.put(object('a', '25'));
    expect(cache.differences(list('20'))).toBe(0);
    cache.merge(list('20'));
    cache.remove(object('a', '26'));
    cache.merge(list('25', object('a', '25')));
    expect(changes).toEqual(['added a@25', 'deleted a@25']);
  });

  test('does not delete what could not be read in it', () => {
    cache.put(object('a', '5'));
    const unread = { ...list('20'), unreadable: new Set(['n/x']) };
    expect(cache.differences(unread)).toBe(0);
    cache.merge(unread);
    cache.replace(unread);
    expect(changes).toEqual(['added a@5']);
  });

  test('that replaces all is taken though it is older', () => {
    cache.put(object('a', '25'));
    cache.remove(object('a', '26'));
    cache.put(object('b', '27'));
    cache.replace(list('10', object('a', '8')));
    expect(changes.slice(2)).toEqual(['added b@27', 'deleted b@27', 'added a@8']);
    expect(cache.newestVersion).toBe('10');
  });
});

test('an index follows changes and deletions', () => {
  cache.put(object('a', '1', 'one'));
  cache.put(object('a', '2', 'two'));
  expect([cache.byIndex('node', 'one').length, cache.byIndex('node', 'two').length]).toEqual([0, 1]);
  cache.remove(object('a', '3', 'two'));
  expect(cache.byIndex('node', 'two')).toEqual([]);
});

test('an object that cannot be indexed is in the cache, and found again once it can be', () => {
  cache.put(object('a', '1', 'one'));
  cache.put(object('a', '2', 'broken'));
  expect([cache.list().length, cache.byIndex('node', 'one').length]).toEqual([1, 0]);
  cache.put(object('a', '3', 'two'));
  expect(cache.byIndex('node', 'two').length).toBe(1);
  cache.put(object('a', '4', 'broken'));
  cache.remove(object('a', '5', 'broken'));
  expect(changes).toEqual([
    'added a@1',
    'not indexed n/x',
    'updated a@2',
    'updated a@3',
    'not indexed n/x',
    'updated a@4',
    'deleted a@4',
  ]);
});

test('all is deleted with its kind, and comes back with it', () => {
  cache.put(object('a', '5', 'one'));
  cache.clear();
  expect([cache.list(), cache.byIndex('node', 'one')]).toEqual([[], []]);
  cache.merge(list('5', object('a', '5')));
  expect(changes).toEqual(['added a@5', 'deleted a@5', 'added a@5']);
});

function many(count: number): KubeObject[] {
  return Array.from({ length: count }, (_value, index) => ({
    metadata: { name: `x-${index}`, namespace: 'n', uid: 'a', resourceVersion: String(10 + index) },
  }));
}

describe('deletions that are remembered', () => {
  test('are bounded', () => {
    const objects = many(1500);
    for (const entry of objects) cache.remove(entry);
    const late = [objects[0], objects.at(-1)].filter((entry) => entry !== undefined);
    for (const { metadata } of late) cache.put({ metadata: { ...metadata, resourceVersion: '1' } });
    expect(cache.list().map(({ metadata }) => metadata.name)).toEqual(['x-0']);
  });

  test('are all kept while a list is compared, which does not show them yet', () => {
    const objects = many(1500);
    for (const entry of objects) cache.put(entry);
    const end = cache.beginComparison();
    const before = list('2000', ...objects);
    objects.forEach(({ metadata }, index) => {
      cache.remove({ metadata: { ...metadata, resourceVersion: String(3000 + index) } });
    });
    expect(cache.differences(before)).toBe(0);
    end();
    expect(cache.differences(before)).toBe(500);
  });
});
