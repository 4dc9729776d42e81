import { describe, expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { InferenceDeployment } from './generated/inference-deployment.ts';
import { lostAlias, modelNameKeys, ownerOfName, parseModelName } from './model-names.ts';

function claimant(name: string, aliases: string[], second = 0, uid = `uid-${name}`): InferenceDeployment {
  const metadata = { name, namespace: 'team-a', uid, creationTimestamp: `2026-11-22T10:00:0${second}Z` };
  return { ...inferenceDeployment({ aliases }), metadata };
}

function orders<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item, at) => orders(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}

describe('a model name', () => {
  test.each([
    ['chat', undefined, 'chat', undefined],
    ['team-a/chat', 'team-a', 'chat', undefined],
    ['chat:sql', undefined, 'chat', 'sql'],
    ['team-a/Llama_3.1:sql', 'team-a', 'Llama_3.1', 'sql'],
    ['', undefined, '', undefined],
    ['/', '', '', undefined],
    ['a:b/c', 'a:b', 'c', undefined],
    ['a/b/c:d:e', 'a', 'b/c', 'd:e'],
    ['chat:', undefined, 'chat', ''],
  ])('%j', (model, namespace, name, adapter) => {
    expect(parseModelName(model)).toEqual({ namespace, name, adapter });
  });
});

describe('a name belongs to', () => {
  test.each([
    ['the deployment of that id, however young', 'chat', [claimant('old', ['chat']), claimant('chat', [], 9)], 'chat'],
    ['the oldest that claims it', 'llama', [claimant('b', ['llama'], 1), claimant('a', ['llama'], 2)], 'b'],
    [
      'of equally old ones that with the lowest UID',
      'llama',
      [
        claimant('a', ['llama'], 1, 'uid-2'),
        claimant('b', ['llama'], 1, 'uid-1'),
        claimant('c', ['llama'], 1, 'uid-3'),
      ],
      'b',
    ],
  ])('%s, in whatever order they are seen', (_, name, claimants, owner) => {
    for (const order of orders(claimants)) expect(ownerOfName(name, order)?.metadata.name).toBe(owner);
  });

  test('nobody where nobody claims it', () => {
    expect(ownerOfName('chat', [])).toBeUndefined();
  });
});

describe('an alias is lost', () => {
  const older = claimant('older', ['llama', 'mistral'], 1);
  const younger = claimant('younger', ['own', 'mistral', 'llama'], 2);
  const claimantsOf = (key: string): InferenceDeployment[] =>
    [older, younger].filter((deployment) => modelNameKeys(deployment).includes(key));

  test('to the deployment it belongs to, and the first one is named', () => {
    expect(lostAlias(younger, claimantsOf)).toEqual({ alias: 'mistral', owner: older });
    expect(lostAlias(older, claimantsOf)).toBeUndefined();
  });

  test('to none of another namespace', () => {
    const elsewhere = { ...younger, metadata: { ...younger.metadata, namespace: 'team-b' } };
    expect(lostAlias(elsewhere, claimantsOf)).toBeUndefined();
  });
});
