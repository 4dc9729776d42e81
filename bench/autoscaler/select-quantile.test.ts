import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { selectQuantile } from './select-quantile.ts';

test('is the value that sorting would find, in whatever order and however many are equal', () => {
  const values = fc.array(fc.oneof(fc.nat({ max: 5 }), fc.double({ noNaN: true, noDefaultInfinity: true })), {
    minLength: 1,
  });
  fc.assert(
    fc.property(values, fc.constantFrom(0, 0.5, 0.95, 0.99, 1), (list, quantile) => {
      const sorted = Float64Array.from(list).sort();
      expect(selectQuantile(Float64Array.from(list), quantile)).toBe(
        sorted[Math.max(0, Math.ceil(quantile * list.length) - 1)],
      );
    }),
  );
  expect(selectQuantile(new Float64Array(0), 0.95)).toBe(0);
});
