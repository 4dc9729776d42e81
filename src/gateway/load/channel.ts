/** The gateway's end of the load channel, put together. */
import { Gauge, type Registry } from 'prom-client';
import type { ChannelEnd } from '../../channel/handshake.ts';
import { ChannelServer, type LeaderTalk } from '../../channel/server.ts';
import type { Logger } from '../../kube/types.ts';
import type { LoadTracker } from './tracker.ts';

/** Returns the server that tells the leading operator of the load of this gateway; it does not listen yet. */
export function createLoadChannel(options: {
  end: ChannelEnd;
  tracker: LoadTracker;
  talk: LeaderTalk;
  /** Called with the number of operators that listen. */
  onLeaders: (count: number) => void;
  metrics: Registry;
  logger: Logger;
}): ChannelServer {
  const { end, tracker, talk, metrics, logger } = options;
  const leaders = new Gauge({
    name: 'infer_gateway_channel_leaders',
    help: 'Operators that this gateway tells of its load: 1, and for a moment 2 when another takes over.',
    registers: [metrics],
  });
  return new ChannelServer({
    end,
    source: tracker,
    talk,
    logger,
    onLeaders: (count) => {
      leaders.set(count);
      options.onLeaders(count);
    },
  });
}
