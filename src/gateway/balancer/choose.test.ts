import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Replica } from '../types.ts';
import { choose, createPicker } from './choose.ts';

function replica(podUid: string, state: Partial<Replica> = {}): Replica {
  return {
    podUid,
    origin: `http://${podUid}:8000`,
    serving: true,
    draining: false,
    inFlight: 0,
    batchInFlight: 0,
    outstandingTokens: 0,
    ...state,
  };
}

const NONE: ReadonlySet<string> = new Set();

function work({ outstandingTokens, inFlight }: Replica): number {
  return outstandingTokens * 1000 + inFlight;
}

const replicaLists = fc
  .array(
    fc.record({
      serving: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
      draining: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
      inFlight: fc.nat({ max: 3 }),
      // Few values, so that many are equal.
      outstandingTokens: fc.constantFrom(0, 100),
      excluded: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    }),
    { minLength: 1, maxLength: 8, size: 'max' },
  )
  .map((states) => ({
    replicas: states.map(({ excluded: _excluded, ...state }, at) => replica(`pod-${at}`, state)),
    exclude: new Set(states.flatMap(({ excluded }, at) => (excluded ? [`pod-${at}`] : []))),
  }));

describe('choose', () => {
  test('takes fewer tokens before fewer requests', () => {
    const few = replica('few', { outstandingTokens: 10, inFlight: 9 });
    expect(choose([replica('many', { outstandingTokens: 11, inFlight: 1 }), few], NONE, 0)).toBe(few);
  });

  test('takes one that is to leave only where no other serves', () => {
    const leaving = replica('leaving', { draining: true });
    const busy = replica('busy', { outstandingTokens: 999, inFlight: 99 });
    expect(choose([leaving, busy], NONE, 0)).toBe(busy);
    expect(choose([leaving, busy], new Set(['busy']), 0)).toBe(leaving);
    expect(choose([leaving, { ...busy, serving: false }], NONE, 0)).toBe(leaving);
  });

  test('takes one that serves, is not excluded and has the least work, and one wherever there is one', () => {
    fc.assert(
      fc.property(replicaLists, fc.nat(), ({ replicas, exclude }, turn) => {
        const able = replicas.filter(({ serving, podUid }) => serving && !exclude.has(podUid));
        const staying = able.filter(({ draining }) => !draining);
        const allowed = staying.length > 0 ? staying : able;
        const chosen = choose(replicas, exclude, turn);
        if (allowed.length === 0) return expect(chosen).toBeUndefined();
        expect(allowed).toContain(chosen);
        expect(chosen && work(chosen)).toBe(Math.min(...allowed.map(work)));
      }),
    );
  });

  test('spreads over equal replicas: in as many turns as there are, each is chosen once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(), (count, start) => {
        const replicas = Array.from({ length: count }, (_, at) => replica(`pod-${at}`));
        const picker = createPicker(start);
        const chosen = replicas.map(() => picker(replicas, { estimatedTokens: 1 }, NONE));
        expect(new Set(chosen).size).toBe(count);
      }),
    );
  });

  test('changes nothing of what it is given', () => {
    fc.assert(
      fc.property(replicaLists, ({ replicas, exclude }) => {
        const before = structuredClone(replicas);
        choose(replicas, exclude, 3);
        expect(replicas).toEqual(before);
      }),
    );
  });

  test('keeps the work of replicas within one request of each other, when each request is as long', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 100 }), (count, requests) => {
        const replicas = Array.from({ length: count }, (_, at) => replica(`pod-${at}`));
        const picker = createPicker(0);
        for (let sent = 0; sent < requests; sent += 1) {
          const chosen = picker(replicas, { estimatedTokens: 50 }, NONE);
          if (chosen === undefined) throw new Error('none was chosen');
          chosen.inFlight += 1;
          chosen.outstandingTokens += 50;
        }
        const loads = replicas.map(({ inFlight }) => inFlight);
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
