import { beforeEach, describe, expect, test } from '@jest/globals';
import { inferenceDeployment } from '../../test/support/resources.ts';
import type { InferenceDeploymentStatus } from '../api/generated/inference-deployment.ts';
import { TrackedDeployment } from './tracked-deployment.ts';

const WOKEN = '2026-01-01T00:00:00Z';
const WOKEN_MS = Date.parse(WOKEN);

let deployment: TrackedDeployment;

beforeEach(() => {
  deployment = new TrackedDeployment(inferenceDeployment());
});

function become(scaling: InferenceDeploymentStatus['scaling']): void {
  deployment.update({ ...inferenceDeployment(), status: { ...(scaling && { scaling }) } });
}

describe('the time until a replica serves', () => {
  test('is not known before one was measured', () => {
    become({ desiredReplicas: 1, lastScaleTime: WOKEN });
    expect(deployment.readyInSeconds(WOKEN_MS, 0)).toBeUndefined();
  });

  test('is what is left of a start since the count was raised', () => {
    become({ desiredReplicas: 1, lastScaleTime: WOKEN, learned: { loadSeconds: 95 } });
    const left = [0, 50.2, 94.9].map((seconds) => deployment.readyInSeconds(WOKEN_MS + seconds * 1_000, 0));
    expect(left).toEqual([95, 45, 1]);
  });

  test('is a whole start for one that nobody has woken yet', () => {
    become({ desiredReplicas: 0, lastScaleTime: WOKEN, learned: { loadSeconds: 95 } });
    expect(deployment.readyInSeconds(WOKEN_MS + 50_000, 0)).toBe(95);
  });

  test('is counted from the wait where the count was raised in the future of a clock that is behind', () => {
    become({ desiredReplicas: 1, lastScaleTime: WOKEN, learned: { loadSeconds: 95 } });
    expect(deployment.readyInSeconds(WOKEN_MS - 60_000, 50)).toBe(45);
  });

  test('is not known where one should serve by now and does not', () => {
    become({ desiredReplicas: 1, lastScaleTime: WOKEN, learned: { loadSeconds: 95 } });
    expect(deployment.readyInSeconds(WOKEN_MS + 95_000, 0)).toBeUndefined();
    expect(deployment.readyInSeconds(WOKEN_MS + 3_600_000, 50)).toBeUndefined();
    become({ desiredReplicas: 0, lastScaleTime: WOKEN, learned: { loadSeconds: 95 } });
    expect(deployment.readyInSeconds(WOKEN_MS, 300)).toBeUndefined();
  });
});
