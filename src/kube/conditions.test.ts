import { expect, test } from '@jest/globals';
import { findCondition, setCondition } from './conditions.ts';
import type { Condition } from './conditions.ts';

const EARLIER = new Date('2026-01-01T00:00:00.123Z');
const LATER = new Date('2026-01-02T00:00:00.456Z');
const ready = { type: 'Ready', status: 'False', reason: 'Loading', message: 'loading', observedGeneration: 1 } as const;

function after(change: Partial<Omit<Condition, 'lastTransitionTime'>>): Condition | undefined {
  const before = setCondition([], ready, EARLIER);
  return findCondition(setCondition(before, { ...ready, ...change }, LATER), 'Ready');
}

test('a new condition has the time of now, without fractions', () => {
  expect(setCondition(undefined, ready, EARLIER)).toEqual([{ ...ready, lastTransitionTime: '2026-01-01T00:00:00Z' }]);
});

test('the same condition again is the same value', () => {
  const before = setCondition([], ready, EARLIER);
  expect(setCondition(before, ready, LATER)).toEqual(before);
});

test('another reason, message or generation keeps the time', () => {
  const changed = after({ reason: 'Downloading', message: 'downloading', observedGeneration: 2 });
  expect(changed).toEqual({
    ...ready,
    reason: 'Downloading',
    message: 'downloading',
    observedGeneration: 2,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
});

test('another status moves the time', () => {
  expect(after({ status: 'True' })?.lastTransitionTime).toBe('2026-01-02T00:00:00Z');
});

test('other conditions and their order stay', () => {
  const types = ['A', 'B', 'C'];
  const all = types.reduce<Condition[]>((list, type) => setCondition(list, { ...ready, type }, EARLIER), []);
  const next = setCondition(all, { ...ready, type: 'B', status: 'True' }, LATER);
  expect(next.map(({ type, status }) => `${type} ${status}`)).toEqual(['A False', 'B True', 'C False']);
});
