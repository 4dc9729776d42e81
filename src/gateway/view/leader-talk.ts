/** What a gateway and the leader say to each other besides the load: what is looked at here, and sealing keys. */
import type { Heartbeat, Report } from '../../channel/messages.ts';
import type { LeaderTalk } from '../../channel/server.ts';
import type { SharedKeys } from '../session/shared-keys.ts';
import type { LiveFeed } from './live-feed.ts';

/** Readers come and go: what they look at is said no more often, and the leader answers no more often. */
const SAY_MS = 200;

/** Returns the two as one. */
export function createLeaderTalk(feed: LiveFeed, keys: SharedKeys): LeaderTalk {
  let version = 1;
  /** Those at which each of the two changed last. */
  const changedAt = { watch: 1, sealingKeys: 1 };
  const listeners = new Set<() => void>();
  let saidAtMs = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  const say = (): void => {
    timer = undefined;
    saidAtMs = performance.now();
    for (const listener of listeners) listener();
  };
  const changed = (what: keyof typeof changedAt): void => {
    version += 1;
    changedAt[what] = version;
    const waitMs = saidAtMs + SAY_MS - performance.now();
    if (waitMs <= 0) say();
    else timer ??= setTimeout(say, waitMs).unref();
  };
  feed.onWatchChange(() => changed('watch'));
  keys.onChange(() => changed('sealingKeys'));
  const wordsSince = (told: number): Pick<Report, 'watch' | 'sealingKeys'> => ({
    ...(changedAt.watch > told && { watch: feed.watch }),
    ...(changedAt.sealingKeys > told && { sealingKeys: keys.all() }),
  });
  return {
    wordsSince: (told) => (told === version ? undefined : { version, words: wordsSince(told) }),
    onUrgent(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    heard(message: Heartbeat) {
      feed.heard(message);
      if (message.sealingKeys !== undefined) keys.add(message.sealingKeys);
    },
  };
}
