import { expect, test } from '@jest/globals';
import { sample, summary } from './fixtures.ts';
import { detailIn, EMPTY_VIEW, withEvent, type View } from './view.ts';

function after(view: View, name: string, data: unknown, watched?: string): View {
  return withEvent(view, { name, data: JSON.stringify(data) }, watched);
}

test('a list is all, changes and removals are some', () => {
  let view = after(EMPTY_VIEW, 'list', { data: [summary('a'), summary('b')] });
  const unchanged = view.deployments?.get('a');
  view = after(view, 'changed', { data: [summary('b', { reason: 'Loading' }), summary('c')] });
  expect([...(view.deployments?.keys() ?? [])]).toEqual(['a', 'b', 'c']);
  expect(view.deployments?.get('b')?.reason).toBe('Loading');
  // Rows are drawn again by identity.
  expect(view.deployments?.get('a')).toBe(unchanged);
  view = after(view, 'removed', { ids: ['a', 'nobody'] });
  expect([...(view.deployments?.keys() ?? [])]).toEqual(['b', 'c']);
  // The list of the next connection does not hold what was removed meanwhile.
  view = after(view, 'list', { data: [summary('c')] });
  expect([...(view.deployments?.keys() ?? [])]).toEqual(['c']);
});

test('words about another deployment than the watched one are late', () => {
  expect(after(EMPTY_VIEW, 'detail', summary('a'), 'b')).toBe(EMPTY_VIEW);
  expect(after(EMPTY_VIEW, 'history', { id: 'a', samples: [sample(1)] }, 'b')).toBe(EMPTY_VIEW);
  expect(after(EMPTY_VIEW, 'sample', { id: 'a', sample: sample(1) }, undefined)).toBe(EMPTY_VIEW);
  expect(after(EMPTY_VIEW, 'detail', summary('a'), 'a').detail?.id).toBe('a');
});

test('figures of a detail are those of its summary, which come more often', () => {
  let view = after(EMPTY_VIEW, 'detail', summary('a', { live: sample(1), reason: 'Loading' }), 'a');
  expect(detailIn(view)?.live?.time).toBe(1);
  view = after(view, 'changed', { data: [summary('a', { live: sample(2) })] });
  expect(detailIn(view)).toMatchObject({ reason: 'Loading', live: { time: 2 } });
  view = after(view, 'changed', { data: [summary('a', { live: null })] });
  expect(detailIn(view)?.live).toBeNull();
  view = after(view, 'removed', { ids: ['a'] });
  expect(detailIn(view)?.id).toBe('a');
});

test('samples are of the last 15 minutes', () => {
  const samples = [sample(100), sample(500), sample(1000)];
  let view = after(EMPTY_VIEW, 'history', { id: 'a', samples }, 'a');
  expect(view.samples.map(({ time }) => time)).toEqual([100, 500, 1000]);
  view = after(view, 'sample', { id: 'a', sample: sample(1001) }, 'a');
  expect(view.samples.map(({ time }) => time)).toEqual([500, 1000, 1001]);
});

test('samples in a hurry take no more room, and the newest is there', () => {
  let view = EMPTY_VIEW;
  for (let count = 0; count <= 6000; count++) {
    view = after(view, 'sample', { id: 'a', sample: sample(count / 60) }, 'a');
  }
  expect(view.samples.length).toBeLessThan(215);
  expect(view.samples.length).toBeGreaterThan(190);
  expect(view.samples.at(-1)?.time).toBe(100);
});

test('an event that this page does not know changes nothing', () => {
  expect(after(EMPTY_VIEW, 'weather', { sun: true })).toBe(EMPTY_VIEW);
});
