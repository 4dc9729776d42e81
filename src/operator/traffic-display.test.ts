import { beforeEach, expect, test } from '@jest/globals';
import type { Traffic } from '../autoscaler/traffic-history.ts';
import { DISPLAY_INTERVAL_MS, TrafficDisplay, type ShownTraffic } from './traffic-display.ts';

let display: TrafficDisplay;
let shown: ShownTraffic;
let unsettled: boolean;
let now: number;

beforeEach(() => {
  display = new TrafficDisplay();
  shown = {};
  now = 1_000_000;
});

function show(traffic: Traffic | undefined, silentMs = 0): ShownTraffic {
  const result = display.show('uid', shown, { traffic, silentMs, nowMs: now });
  shown = result.shown;
  unsettled = result.unsettled;
  return shown;
}

const at = (requestsPerSecond: number, latencyP95Ms?: number): Traffic => ({ requestsPerSecond, latencyP95Ms });

test('is rounded to two digits', () => {
  expect(show(at(9.4444, 3_249.6))).toEqual({ requestsPerSecond: '9.4', latencyP95Ms: 3_200 });
});

test('changes at most every 15 s', () => {
  show(at(1));
  now += DISPLAY_INTERVAL_MS - 1;
  expect(show(at(5))).toEqual({ requestsPerSecond: '1' });
  now += 1;
  expect(show(at(5))).toEqual({ requestsPerSecond: '5' });
});

test('changes only when either number moved by a tenth', () => {
  show(at(10, 1_000));
  now += DISPLAY_INTERVAL_MS;
  expect(show(at(10.4, 1_040))).toEqual({ requestsPerSecond: '10', latencyP95Ms: 1_000 });
  expect(show(at(10.4, 1_110))).toEqual({ requestsPerSecond: '10', latencyP95Ms: 1_100 });
});

test('comes to rest at none, without a latency', () => {
  show(at(10, 1_000));
  now += DISPLAY_INTERVAL_MS;
  expect(show(at(0))).toEqual({ requestsPerSecond: '0' });
});

test('stays through a short silence, and goes after a long one', () => {
  show(at(10));
  expect(show(undefined, 29_000)).toEqual({ requestsPerSecond: '10' });
  expect(show(undefined, 30_000)).toEqual({});
});

test('takes up nothing else that stands beside it', () => {
  const scaling = { desiredReplicas: 1, reason: 'MinReplicas', requestsPerSecond: '10' };
  const { shown: taken } = display.show('uid', scaling, { traffic: undefined, silentMs: 0, nowMs: now });
  expect(taken).toEqual({ requestsPerSecond: '10' });
});

test('is looked at again until both what is shown and what there is have come to rest', () => {
  show(at(0));
  expect(unsettled).toBe(false);
  // Too early to be shown, and no further report may come.
  now += 1_000;
  show(at(5));
  expect([shown, unsettled]).toEqual([{ requestsPerSecond: '0' }, true]);
  now += DISPLAY_INTERVAL_MS;
  show(at(5));
  now += DISPLAY_INTERVAL_MS;
  show(at(0));
  expect([shown, unsettled]).toEqual([{ requestsPerSecond: '0' }, true]);
  show(at(0));
  expect(unsettled).toBe(false);
});

test('is looked at again while it is not yet known, and not for ever where there is no gateway', () => {
  show(undefined, 0);
  expect([shown, unsettled]).toEqual([{}, true]);
  show(undefined, 30_000);
  expect([shown, unsettled]).toEqual([{}, false]);
});
