import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { SharedKeys } from '../session/shared-keys.ts';
import { createLeaderTalk } from './leader-talk.ts';
import { LiveFeed } from './live-feed.ts';

let feed: LiveFeed;
let keys: SharedKeys;
let talk: ReturnType<typeof createLeaderTalk>;
let said: number;

beforeEach(() => {
  jest.useFakeTimers();
  feed = new LiveFeed();
  keys = new SharedKeys();
  talk = createLeaderTalk(feed, keys);
  said = 0;
  talk.onUrgent(() => (said += 1));
});

afterEach(() => {
  jest.useRealTimers();
});

test('a leader that is new is told all, and another that knows it nothing', () => {
  const told = talk.wordsSince(0);
  // An empty list says that this gateway knows of keys.
  expect(told?.words).toEqual({ watch: { version: 1, namespaces: [], details: [], histories: [] }, sealingKeys: [] });
  expect(talk.wordsSince(told?.version ?? 0)).toBeUndefined();
  feed.look({ namespace: 'team-a' });
  expect(talk.wordsSince(told?.version ?? 0)?.words.watch?.namespaces).toEqual(['team-a']);
});

test('what is looked at is said at once, and of many readers together', () => {
  feed.look({ namespace: 'team-a' });
  expect(said).toBe(1);
  for (let index = 0; index < 100; index += 1) feed.look({ namespace: `team-${index}` });
  expect(said).toBe(1);
  jest.advanceTimersByTime(199);
  expect(said).toBe(1);
  jest.advanceTimersByTime(1);
  expect(said).toBe(2);
});

test('of what is looked at and the keys only what changed is said', () => {
  const told = talk.wordsSince(0)?.version ?? 0;
  feed.look({ namespace: 'team-a' });
  const next = talk.wordsSince(told);
  expect(Object.keys(next?.words ?? {})).toEqual(['watch']);
  keys.current();
  expect(Object.keys(talk.wordsSince(next?.version ?? 0)?.words ?? {})).toEqual(['sealingKeys']);
  expect(Object.keys(talk.wordsSince(told)?.words ?? {})).toEqual(['watch', 'sealingKeys']);
});

test('a key that is made here is said, and one that is heard of is held and not made anew', () => {
  const other = new SharedKeys();
  talk.heard({ type: 'heartbeat', sealingKeys: [other.current()] });
  expect(keys.current()).toEqual(other.current());
  const before = talk.wordsSince(0)?.version ?? 0;
  // What the leader says again is nothing new.
  talk.heard({ type: 'heartbeat', sealingKeys: other.all() });
  expect(talk.wordsSince(before)).toBeUndefined();
});
