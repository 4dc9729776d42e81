import { expect, test } from '@jest/globals';
import { addInterval, keptFor, NOTHING_MISSED, type Missed, type MissedInput } from './missed.ts';

const MINUTE_MS = 60_000;
const BUDGET = { left: 100, perMs: 2 / 1000 };

function after(steps: readonly (Partial<MissedInput> & { minutes: number })[]): Missed {
  let missed = NOTHING_MISSED;
  let nowMs = 0;
  for (const { minutes, ...input } of steps) {
    for (let minute = 0; minute < minutes; minute++) {
      nowMs += MINUTE_MS;
      missed = addInterval(missed, {
        ready: 2,
        lately: 2,
        isLearned: true,
        proven: 2,
        neededForProven: 2,
        completed: 100,
        late: 2,
        inFlight: 5,
        lateInFlight: 0,
        budget: BUDGET,
        isIdle: false,
        loadTimeMs: 120_000,
        stabilizationMs: 300_000,
        intervalMs: MINUTE_MS,
        nowMs,
        ...input,
      });
    }
  }
  return missed;
}

const MANY = { lately: 8, proven: 7, neededForProven: 7 };

test('nothing is kept where nothing was missed', () => {
  expect(keptFor(after([{ minutes: 30 }]), BUDGET, 1).replicas).toBe(0);
});

test('what was missed after it had been let go is kept over the next absence', () => {
  const missed = after([
    { minutes: 10, ready: 8, ...MANY },
    { minutes: 10 },
    { minutes: 1, ...MANY, late: 60 },
    { minutes: 20 },
  ]);
  expect(keptFor(missed, BUDGET, 1)).toEqual({ replicas: 8, because: 'regret' });
});

test('what had never been there is kept where another such rise is more than may be', () => {
  const spent = { ...BUDGET, left: -50 };
  const missed = after([
    { minutes: 10 },
    { minutes: 3, ...MANY, late: 150, completed: 300, budget: spent },
    { minutes: 60 },
  ]);
  expect(keptFor(missed, spent, 1)).toEqual({ replicas: 7, because: 'surge' });
  // Of what a replica does by then.
  expect(keptFor(missed, spent, 2)).toEqual({ replicas: 4, because: 'surge' });
});
