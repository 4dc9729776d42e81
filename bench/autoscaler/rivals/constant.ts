/** Policies that watch nothing. */
import type { Controller, Policy } from '../types.ts';

/** Nothing depends on how often they are asked. */
const PERIOD_MS = 60_000;

/** Returns the policy that always wants `replicas`. */
export function constant(name: string, replicas: number): Policy {
  return {
    name,
    create: (): Controller => ({ periodMs: PERIOD_MS, desired: () => replicas }),
  };
}
