import { expect, test } from '@jest/globals';
import { Places } from './places.ts';

function of(name: string): { namespace: string; name: string } {
  return { namespace: 'team-a', name };
}

test('from half of the places on a deployment has no more than two; one that has none gets one beyond them', () => {
  const places = new Places();
  const take = (name: string, times: number): number =>
    Array.from({ length: times }, () => places.take(of(name))).filter((leave) => leave !== undefined).length;
  expect(take('first', 20)).toBe(8);
  expect(['b', 'c', 'd', 'e'].map((name) => take(name, 5))).toEqual([2, 2, 2, 2]);
  expect(take('first', 1)).toBe(0);
  expect(Array.from({ length: 20 }, (_, index) => take(`other-${index}`, 2)).filter((got) => got === 1)).toHaveLength(
    16,
  );
});

test('a place that is given back is free', () => {
  const places = new Places();
  const leave = Array.from({ length: 8 }, () => places.take(of('first'))).at(-1);
  expect(places.isFree(of('first'))).toBe(false);
  leave?.();
  expect(places.isFree(of('first'))).toBe(true);
});
