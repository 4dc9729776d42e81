import { expect, test } from '@jest/globals';
import { hardwareProfile, inferenceDeployment, observation, readyPod } from '../../../test/support/resources.ts';
import { timeAndPrice, type AccountingContext } from './accounting.ts';
import { PriceDisplay } from './price-display.ts';
import type { DepartedPod } from './lifetimes.ts';

function context(tokensPerSecond: number | undefined, departed: DepartedPod[] = []): AccountingContext {
  return {
    departed: { of: () => departed } as unknown as AccountingContext['departed'],
    prices: new PriceDisplay(),
    scaling: { tokensPerSecond: () => tokensPerSecond },
    unwatchedSince: Number.NEGATIVE_INFINITY,
  };
}

const profile = hardwareProfile({ price: { currency: 'USD', perGpuHour: '3.60' } });

test('a million tokens cost what the replicas cost while these are made', () => {
  // 3.60 an hour are 0.001 a second; 500 tokens a second make a million in 2,000 seconds.
  const { told, lookAgainMs } = timeAndPrice(observation({ profile, pods: [readyPod()] }), context(500));
  expect(told.perMillionTokens).toBe('2');
  // Traffic that ends tells nobody.
  expect(lookAgainMs).toEqual([60_000]);
});

test('without a price, or without traffic, there is none', () => {
  const resource = inferenceDeployment();
  resource.status = { cost: { perMillionTokens: '2' } };
  const unpriced = timeAndPrice(observation({ resource, pods: [readyPod()] }), context(500));
  expect(unpriced).toMatchObject({ told: { perMillionTokens: undefined }, lookAgainMs: [] });
  const idle = timeAndPrice(observation({ profile, pods: [readyPod()] }), context(undefined));
  expect(idle).toMatchObject({ told: { perMillionTokens: undefined }, lookAgainMs: [] });
});

test('those that are there and those that went are counted together', () => {
  const gone = readyPod();
  gone.metadata = { ...gone.metadata, uid: 'gone' };
  const departed = [{ pod: gone, atMs: Date.parse('2026-01-01T00:10:00Z') }];
  expect(timeAndPrice(observation({ pods: [readyPod()] }), context(undefined, departed)).told.usage).toEqual({
    replicaSeconds: 1_200,
    gpuSeconds: 0,
    asOf: '2026-01-01T00:10:00Z',
    replicasSince: 1,
    running: [{ uid: 'pod-1', gpus: 0 }],
  });
});
