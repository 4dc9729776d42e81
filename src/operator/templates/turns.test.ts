import { beforeEach, describe, expect, test } from '@jest/globals';
import { Turns } from './turns.ts';

const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ namespace: 'team', name })) as [Ref, Ref, Ref];
interface Ref {
  namespace: string;
  name: string;
}

let woken: string[];
let turns: Turns;
beforeEach(() => {
  woken = [];
  turns = new Turns(({ name }) => woken.push(name));
});

describe('turns', () => {
  test('are held by one deployment of a profile; it may go on itself', () => {
    expect(turns.isFree(a, 'gpu')).toBe(true);
    turns.note(a, 'gpu', 'holds');
    expect([turns.isFree(a, 'gpu'), turns.isFree(b, 'gpu'), turns.isFree(b, 'cpu')]).toEqual([true, false, true]);
  });

  test('pass on one after the other, in the order in which they were asked for', () => {
    turns.note(a, 'gpu', 'holds');
    turns.note(b, 'gpu', 'waits');
    turns.note(c, 'gpu', 'waits');
    turns.note(b, 'gpu', 'waits');
    expect(woken).toEqual([]);
    turns.note(a, 'gpu', 'none');
    expect(woken).toEqual(['b']);
    turns.note(b, 'gpu', 'holds');
    turns.note(b, 'gpu', 'none');
    expect(woken).toEqual(['b', 'c']);
  });

  test('pass on where one that was woken wants none any more', () => {
    turns.note(a, 'gpu', 'holds');
    turns.note(b, 'gpu', 'waits');
    turns.note(c, 'gpu', 'waits');
    turns.note(a, 'gpu', 'none');
    turns.note(b, 'gpu', 'none');
    expect(woken).toEqual(['b', 'c']);
  });

  test('end with the deployment, and with its profile', () => {
    turns.note(a, 'gpu', 'holds');
    turns.note(b, 'gpu', 'waits');
    turns.forget(a);
    expect(woken).toEqual(['b']);
    turns.note(b, 'gpu', 'holds');
    turns.note(c, 'gpu', 'waits');
    turns.note(b, 'cpu', 'none');
    expect(woken).toEqual(['b', 'c']);
  });
});
