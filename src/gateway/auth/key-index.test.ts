import { describe, expect, test } from '@jest/globals';
import type { APIKey } from '../../api/generated/api-key.ts';
import type { Change } from '../../kube/informer-cache.ts';
import { KeyIndex } from './key-index.ts';

function key(namespace: string, keyId: string, second = 0): APIKey {
  const creationTimestamp = new Date(second * 1000).toISOString();
  return { metadata: { namespace, name: 'web', creationTimestamp }, spec: { keyId, hash: '' } };
}

function indexed(): { index: KeyIndex; emit: (change: Change<APIKey>) => void } {
  const listeners: ((change: Change<APIKey>) => void)[] = [];
  const index = new KeyIndex({ onChange: (listener) => void listeners.push(listener) });
  return { index, emit: (change) => listeners.forEach((listener) => listener(change)) };
}

describe('KeyIndex', () => {
  test('finds keys of one keyId in all namespaces, and none that are gone', () => {
    const { index, emit } = indexed();
    const [a, b] = [key('team-a', 'same'), key('team-b', 'same')];
    expect(index.find('same')).toEqual([]);
    emit({ type: 'added', object: a });
    emit({ type: 'added', object: b });
    expect(index.find('same')).toEqual([a, b]);
    emit({ type: 'deleted', object: a });
    expect(index.find('same')).toEqual([b]);
    emit({ type: 'deleted', object: b });
    expect(index.find('same')).toEqual([]);
  });

  test('has the newest state of a key, under its newest keyId', () => {
    const { index, emit } = indexed();
    const before = key('team-a', 'old');
    const disabled = { ...before, spec: { ...before.spec, disabled: true } };
    const renamed = key('team-a', 'new');
    emit({ type: 'added', object: before });
    emit({ type: 'updated', object: disabled, previous: before });
    expect(index.find('old')).toEqual([disabled]);
    emit({ type: 'updated', object: renamed, previous: disabled });
    expect(index.find('old')).toEqual([]);
    expect(index.find('new')).toEqual([renamed]);
  });

  test('keeps the oldest key findable, whoever makes thousands of its keyId', () => {
    const { index, emit } = indexed();
    for (let at = 0; at < 2_000; at += 1) emit({ type: 'added', object: key(`namespace-${at}`, 'same', 2_000 + at) });
    const victim = key('victim', 'same', 1);
    emit({ type: 'added', object: victim });
    emit({ type: 'updated', object: victim, previous: victim });
    expect(index.find('same')[0]).toBe(victim);
    expect(index.find('same')).toHaveLength(16);
  });
});
