/** What a gateway and the leader say to each other besides the load: what is looked at here, and sealing keys. */
import type { Heartbeat, Report } from '../../channel/messages.ts';
import type { LeaderTalk } from '../../channel/server.ts';
import type { SharedKeys } from '../session/shared-keys.ts';
import type { LiveFeed } from './live-feed.ts';

/** Returns the two as one. */
export function createLeaderTalk(feed: LiveFeed, keys: SharedKeys): LeaderTalk {
  let version = 1;
  const listeners = new Set<() => void>();
  const changed = (): void => {
    version += 1;
    for (const listener of listeners) listener();
  };
  feed.onWatchChange(changed);
  keys.onChange(changed);
  const words = (): Pick<Report, 'watch' | 'sealingKeys'> => ({ watch: feed.watch, sealingKeys: keys.all() });
  return {
    wordsSince: (told) => (told === version ? undefined : { version, words: words() }),
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
