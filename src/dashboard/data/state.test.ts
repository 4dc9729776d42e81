import { expect, test } from '@jest/globals';
import { summary } from './fixtures.ts';
import { conditionTone, reasonBeside, stateOf } from './state.ts';

const counts = { desired: 2, ready: 2, starting: 0, draining: 0, failed: 0, min: 0, max: 2 };

test.each([
  ['True', 'Serving', {}, 'Serving'],
  ['True', 'Serving', { ready: 1, failed: 1 }, 'Degraded'],
  ['True', 'ScaledToZero', { desired: 0, ready: 0 }, 'At zero'],
  ['False', 'Suspended', { desired: 0, ready: 0 }, 'Stopped'],
  ['False', 'Loading', { ready: 0, starting: 2 }, 'Starting'],
  ['False', 'Loading', { ready: 1, starting: 1 }, 'Serving'],
  ['False', 'CrashLooping', { ready: 1, failed: 1 }, 'Degraded'],
  ['False', 'WaitingForGPU', { ready: 0, starting: 2 }, 'Not serving'],
  ['False', 'ModelGated', { ready: 0 }, 'Not serving'],
  ['Unknown', 'NotObserved', { ready: 0 }, 'Unknown'],
] as const)('Ready %s for %s with %j: %s', (ready, reason, more, word) => {
  expect(stateOf(summary('x', { ready, reason, replicas: { ...counts, ...more } })).word).toBe(word);
});

test('a reason is shown where it says more than the word', () => {
  const healthy = summary('x', { ready: 'True', reason: 'Serving', replicas: counts });
  expect(reasonBeside(stateOf(healthy), healthy.reason)).toBeUndefined();
  const loading = summary('x', { ready: 'False', reason: 'Loading', replicas: { ...counts, ready: 1, starting: 1 } });
  expect([stateOf(loading).word, reasonBeside(stateOf(loading), loading.reason)]).toEqual(['Serving', 'Loading']);
});

test('a limit is the one condition that is better False', () => {
  expect(conditionTone({ type: 'Ready', status: 'False' })).toBe('bad');
  expect(conditionTone({ type: 'ScalingLimited', status: 'False' })).toBe('good');
  expect(conditionTone({ type: 'ScalingLimited', status: 'True' })).toBe('warning');
});
