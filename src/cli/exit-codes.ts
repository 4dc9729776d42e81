/** What `infer` ends with: a part of its interface, so that a number never changes its meaning. */

export const EXIT = {
  done: 0,
  failed: 1,
  wrongUse: 2,
  notFound: 3,
  notReady: 4,
  refused: 5,
  unreachable: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** One line for each, for `infer help exit-codes`. */
export const EXIT_CODE_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed: the message says why and what to do next'],
  [EXIT.wrongUse, 'wrong use: an unknown command, flag or value; nothing was changed'],
  [EXIT.notFound, 'not found: no such deployment, model, key or batch'],
  [EXIT.notReady, 'not ready in time, or failed, with its diagnosis; the deployment stays as it is'],
  [EXIT.refused, 'refused: Argo CD or Flux keeps this resource; --force changes it all the same'],
  [EXIT.unreachable, 'the cluster or the gateway cannot be reached'],
  [EXIT.interrupted, 'interrupted by Ctrl-C; what was begun in the cluster goes on there'],
];
