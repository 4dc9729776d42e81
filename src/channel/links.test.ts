import { expect, test } from '@jest/globals';
import type { Pod } from '../api/kubernetes.ts';
import { mayHoldRequests } from './links.ts';

const ENDS = '2026-01-01T00:03:00Z';
const ENDS_MS = Date.parse(ENDS);

function gateway(ready: 'True' | 'False', more: { deletionTimestamp?: string; phase?: string } = {}): Pod {
  const { deletionTimestamp, phase = 'Running' } = more;
  return {
    metadata: { name: 'infer-gateway-1', ...(deletionTimestamp && { deletionTimestamp }) },
    status: { phase, conditions: [{ type: 'Ready', status: ready }] },
  };
}

test('a gateway that is ready may hold requests, and one that starts or has ended may not', () => {
  expect(mayHoldRequests(gateway('True'), ENDS_MS)).toBe(true);
  expect(mayHoldRequests(gateway('False'), ENDS_MS)).toBe(false);
  expect(mayHoldRequests(gateway('True', { phase: 'Succeeded' }), ENDS_MS)).toBe(false);
});

test.each(['True', 'False'] as const)(
  'one that leaves may until its grace period is well over, whatever its node said last: ready %s',
  (ready) => {
    const leaving = gateway(ready, { deletionTimestamp: ENDS });
    const held = [-180_000, 0, 30_000, 31_000, 3_600_000].map((ms) => mayHoldRequests(leaving, ENDS_MS + ms));
    expect(held).toEqual([true, true, true, false, false]);
  },
);
