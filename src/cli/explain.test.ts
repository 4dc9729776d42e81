import { describe, expect, test } from '@jest/globals';
import { ApiError, ConnectionError } from '../kube/errors.ts';
import { explain } from './explain.ts';
import { failureText } from './failure.ts';

const forbidden =
  'inferencedeployments.infer.dev is forbidden: User "u" cannot list resource "inferencedeployments" in API group "infer.dev" in the namespace "a"';

describe('explain', () => {
  test.each([
    [
      'no server',
      new ConnectionError('no answer', { cause: new Error('ECONNREFUSED') }),
      6,
      /ECONNREFUSED.*--context/s,
    ],
    ['stale credentials', new ApiError('Unauthorized', { status: 401 }), 6, /sign in again/],
    [
      'a missing right',
      new ApiError(forbidden, { status: 403 }),
      1,
      /cannot list resource.*the right to list inferencedeployments\.infer\.dev in namespace a\.\n/s,
    ],
    ['missing CRDs', new ApiError('404 page not found', { status: 404 }), 1, /not installed.*kubectl apply -k crds/s],
    [
      'what is gone meanwhile',
      new ApiError('pods "infer-chat-1" not found', { status: 404, details: { name: 'infer-chat-1' } }),
      3,
      /pods "infer-chat-1" not found.*removed meanwhile/s,
    ],
    ['a server in trouble', new ApiError('etcd is away', { status: 503 }), 1, /etcd is away.*Try again/s],
    ['a stale version', new ApiError('it was changed', { status: 409 }), 1, /it was changed\nNext:  See how it is now/],
    ['our own mistake', new TypeError('x is undefined'), 1, /report it/],
  ])('%s', (_, error, exitCode, text) => {
    const failure = explain(error);
    expect(failure.exitCode).toBe(exitCode);
    expect(failureText(failure)).toMatch(text);
  });

  test('a rule of the CRD is told by its field and its sentence alone', () => {
    const causes = [
      { field: 'spec.maxReplicas', message: 'Invalid value: must be at least minReplicas.' },
      { field: '<nil>', message: 'Invalid value: "object": metadata.name must have at most 40 characters.' },
    ];
    const failure = explain(new ApiError('InferenceDeployment "x" is invalid', { status: 422, details: { causes } }));
    expect(failure.exitCode).toBe(2);
    expect(failureText(failure)).toBe(
      'Error: The cluster refuses it:\n' +
        '       - spec.maxReplicas: must be at least minReplicas.\n' +
        '       - metadata.name must have at most 40 characters.\n' +
        'Next:  Change these and try again; "kubectl explain infer.spec" tells of each field.\n',
    );
  });
});
