import { expect, test } from '@jest/globals';
import { RetryBudget } from './retry-budget.ts';

const NEVER = new AbortController().signal;

/** Lets everything run that is ready to. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('three retries may always run; the fourth waits for one to end', async () => {
  const budget = new RetryBudget();
  const ends = await Promise.all([budget.retry(NEVER), budget.retry(NEVER), budget.retry(NEVER)]);
  let fourth: (() => void) | undefined;
  const waiting = budget.retry(NEVER).then((end) => (fourth = end));
  await settle();
  expect(fourth).toBeUndefined();
  ends[0]?.();
  await waiting;
  expect(fourth).toBeDefined();
});

test('a fifth of many active requests', async () => {
  const budget = new RetryBudget();
  for (let count = 0; count < 50; count += 1) budget.enter();
  let running = 0;
  for (let count = 0; count < 20; count += 1) void budget.retry(NEVER).then(() => (running += 1));
  await settle();
  expect(running).toBe(10);
});

test('who leaves while it waits takes no turn', async () => {
  const budget = new RetryBudget();
  const ends = await Promise.all([budget.retry(NEVER), budget.retry(NEVER), budget.retry(NEVER)]);
  const leave = new AbortController();
  const left = budget.retry(leave.signal);
  const next = budget.retry(NEVER);
  leave.abort();
  expect(await left).toBeUndefined();
  ends[0]?.();
  expect(await next).toBeDefined();
  // Ending twice gives no second place.
  ends[0]?.();
  let fifth: unknown;
  void budget.retry(NEVER).then((end) => (fifth = end));
  await settle();
  expect(fifth).toBeUndefined();
});

test('who leaves in the moment of its turn passes it on', async () => {
  const budget = new RetryBudget();
  const ends = await Promise.all([budget.retry(NEVER), budget.retry(NEVER), budget.retry(NEVER)]);
  const leave = new AbortController();
  const left = budget.retry(leave.signal);
  ends[0]?.();
  leave.abort();
  // It has the turn and must give it back itself.
  (await left)?.();
  expect(await budget.retry(NEVER)).toBeDefined();
});
