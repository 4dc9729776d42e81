import { expect, test } from '@jest/globals';
import { INSTALL, observation } from '../../test/support/resources.ts';
import type { ControllerRevision, Job } from '../api/kubernetes.ts';
import type { Children, Observation } from './gather.ts';
import { makesSomething } from './owner.ts';
import { plan, type Plan } from './plan.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const planned = plan(observation(), INSTALL, NOW);

/** With all that the plan makes. */
function made(): Observation {
  const { deployment, ...others } = planned.children ?? {};
  return observation({
    children: { ...others, deployment } as Children,
    revisions: [planned.template?.revision as unknown as ControllerRevision],
  });
}

test('what is not there yet is made', () => {
  expect(makesSomething(planned, made())).toBe(false);
  for (const child of ['deployment', 'service', 'disruptionBudget', 'networkPolicy'] as const) {
    const seen = made();
    seen.children[child] = undefined;
    expect(makesSomething(planned, seen)).toBe(true);
  }
  expect(makesSomething(planned, { ...made(), revisions: [] })).toBe(true);
});

test('a Deployment that waits for its model is not made, and a Job is', () => {
  const { deployment: _, ...children } = planned.children as NonNullable<Plan['children']>;
  const job = { metadata: { name: 'download' } } as Job;
  const waiting: Plan = { ...planned, children, jobs: { wanted: [job], obsolete: [] } };
  const seen = made();
  seen.children.deployment = undefined;
  expect(makesSomething(waiting, { ...seen, revisions: [] })).toBe(true);
  expect(makesSomething(waiting, { ...seen, revisions: [], jobs: [job] })).toBe(false);
});

test('a plan that may change nothing makes nothing', () => {
  expect(makesSomething({ waitsForDeletion: false }, observation())).toBe(false);
});
