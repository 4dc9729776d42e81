import { expect, test } from '@jest/globals';
import { failureText } from './failure.ts';
import { printable } from './printable.ts';
import { labelled } from './output/wrap.ts';

const HOSTILE = 'a\u001b[31m\u009b2J\rb\u0007\tc\nd';

test('what would move the cursor, colour or ring is taken out, and lines stay', () => {
  expect(printable(HOSTILE)).toBe('a[31m2Jb c\nd');
  expect(failureText({ message: HOSTILE, next: HOSTILE })).not.toMatch(/[^\P{Cc}\n]/u);
  expect(labelled('Why:', HOSTILE, 4, 80)).toEqual(['Why: a[31m2Jb c d']);
});
