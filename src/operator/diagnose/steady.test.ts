import { expect, test } from '@jest/globals';
import type { Condition } from '../../kube/conditions.ts';
import type { Problem } from './context.ts';
import { steady } from './steady.ts';

const after = 'The node cannot pull image a:v1';

function shown(message: string): Condition[] {
  return [{ type: 'Ready', status: 'False', reason: 'ImagePullFailed', message, lastTransitionTime: 'x' }];
}

function pull(said: string): Problem {
  return { reason: 'ImagePullFailed', message: `${after}: ${said}`, quote: { after } };
}

const told = `${after}: dial tcp 10.0.0.1:41234: refused`;

test.each([
  ['a port that differs', pull('dial tcp 10.0.0.1:51234: refused'), told],
  ['a cause that is not told this time', { ...pull(''), quote: { after, vague: true as const } }, told],
  ['another cause', pull('not found'), `${after}: not found`],
  [
    'another image with the same cause',
    {
      ...pull(''),
      message: 'The node cannot pull image a:v2: no',
      quote: { after: 'The node cannot pull image a:v2' },
    },
    'The node cannot pull image a:v2: no',
  ],
  [
    'a sentence of ours, which counts as it is',
    { reason: 'ImagePullFailed' as const, message: told.replace('41234', '1') },
    told.replace('41234', '1'),
  ],
  ['another reason', { ...pull('x'), reason: 'PodsRefused' as const }, `${after}: x`],
])('%s', (_sentence, problem, message) => {
  expect(steady(problem, shown(told))).toEqual({ reason: problem.reason, message });
});

test('what may be the problem that is told already is told as that, and else as what it is', () => {
  const killed: Problem = { reason: 'EngineFailed', message: 'exit code 137', likely: 'ImagePullFailed' };
  expect(steady(killed, shown(told))).toEqual({ reason: 'ImagePullFailed', message: told });
  expect(steady({ ...killed, likely: 'OutOfMemory' }, shown(told))).toEqual({
    reason: 'EngineFailed',
    message: 'exit code 137',
  });
});

test('nothing is told of no problem, and all of the first one', () => {
  expect(steady(undefined, shown(told))).toBeUndefined();
  expect(steady(pull('x'), undefined)).toEqual({ reason: 'ImagePullFailed', message: `${after}: x` });
});
