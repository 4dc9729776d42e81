import { beforeEach, describe, expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { InferenceDeployment } from '../api/generated/inference-deployment.ts';
import { ApiError, ConnectionError } from '../kube/errors.ts';
import { ApplyFailures } from './apply-failures.ts';

let now: number;
let failures: ApplyFailures;
const chat = inferenceDeployment();

beforeEach(() => {
  now = 0;
  failures = new ApplyFailures(() => now);
});

const answer = (status: number, message: string): ApiError => new ApiError(message, { status });

test.each([400, 403, 422])('a refusal (%i) is told at once', (status) => {
  expect(failures.describe(answer(status, 'no owner label'), chat)).toBe('Kubernetes refused a change: no owner label');
});

describe.each([
  ['a webhook that is down', answer(500, 'failed calling webhook "policy"')],
  ['an overloaded API server', answer(429, 'too many requests')],
  ['no answer', new ConnectionError('no answer within 30 s')],
])('%s', (_, failure) => {
  test('is told when it lasts', () => {
    expect(failures.describe(failure, chat)).toBeUndefined();
    now = 4_999;
    expect(failures.describe(failure, chat)).toBeUndefined();
    now = 5_000;
    expect(failures.describe(failure, chat)).toContain(failure.message);
  });

  test('begins anew after a success', () => {
    failures.describe(failure, chat);
    now = 10_000;
    failures.forget(chat.metadata);
    expect(failures.describe(failure, chat)).toBeUndefined();
  });
});

test('a text that differs only in numbers is not shown anew', () => {
  const shown = 'Kubernetes refused a change: denied at 10:00 by request a1';
  const resource: InferenceDeployment = {
    ...chat,
    status: {
      conditions: [
        { type: 'Progressing', status: 'False', reason: 'ApplyFailed', message: shown, lastTransitionTime: 'x' },
      ],
    },
  };
  expect(failures.describe(answer(403, 'denied at 10:07 by request b2'), resource)).toBe(shown);
  expect(failures.describe(answer(403, 'denied by another rule'), resource)).not.toBe(shown);
});
