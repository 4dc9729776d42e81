/** The leader's connections to all gateways: one to each pod, terminating ones included. */
import { isReady, type Pod } from '../api/kubernetes.ts';
import type { Informer } from '../kube/informer.ts';
import type { Logger } from '../kube/types.ts';
import { followGateway, type ChannelClientOptions, type GatewayListener } from './client.ts';
import type { ChannelEnd } from './handshake.ts';

export interface GatewayLinksOptions {
  end: ChannelEnd;
  /** The gateways' pods. */
  pods: Pick<Informer<Pod>, 'list'>;
  port: number;
  listener: GatewayListener;
  logger: Logger;
  onFailure?: ChannelClientOptions['onFailure'];
}

interface Link {
  readonly host: string;
  isConnected: boolean;
  /** As it was last; it listens before it is ready. */
  isReady: boolean;
  readonly stop: AbortController;
  ended: Promise<void>;
}

export class GatewayLinks {
  readonly #options: GatewayLinksOptions;
  readonly #links = new Map<string, Link>();
  #stopped = false;

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
  }

  /**
   * Connects to pods that are new, at once also to one that has become ready, which may have refused for a while, and lets
   * go of those that have gone; call it whenever one of them changed.
   */
  refresh(): void {
    if (this.#stopped) return;
    const wanted = new Map<string, { host: string; isReady: boolean }>();
    for (const pod of this.#options.pods.list()) {
      const { uid } = pod.metadata;
      const host = pod.status?.podIP;
      if (uid !== undefined && host !== undefined && host !== '' && isAlive(pod)) {
        wanted.set(uid, { host, isReady: isReady(pod) });
      }
    }
    for (const [podUid, link] of this.#links) {
      const pod = wanted.get(podUid);
      if (pod?.host === link.host) {
        const becameReady = pod.isReady && !link.isReady;
        link.isReady = pod.isReady;
        if (link.isConnected || !becameReady) continue;
      }
      this.#links.delete(podUid);
      link.stop.abort();
    }
    for (const [podUid, { host, isReady }] of wanted) {
      if (!this.#links.has(podUid)) this.#links.set(podUid, this.#follow(podUid, host, isReady));
    }
  }

  /** Ends all connections. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const links = [...this.#links.values()];
    this.#links.clear();
    for (const link of links) link.stop.abort();
    await Promise.all(links.map(({ ended }) => ended));
  }

  #follow(podUid: string, host: string, isReady: boolean): Link {
    const { end, port, logger, onFailure } = this.#options;
    const stop = new AbortController();
    const listener: GatewayListener = {
      ...this.#options.listener,
      connected: (...about) => {
        link.isConnected = true;
        this.#options.listener.connected(...about);
      },
      disconnected: (uid) => {
        link.isConnected = false;
        this.#options.listener.disconnected(uid);
      },
    };
    const link: Link = { host, stop, isConnected: false, isReady, ended: Promise.resolve() };
    const options = { end, gateway: { podUid, host, port }, listener, logger, ...(onFailure && { onFailure }) };
    link.ended = followGateway(options, stop.signal);
    return link;
  }
}

/** For clocks that differ, and for the kubelet to tell of the end. */
const OVERDUE_MS = 30_000;

/** Whether a pod may still run: one that has ended for good is never heard of again. */
export function isAlive({ status }: Pod): boolean {
  return status?.phase !== 'Succeeded' && status?.phase !== 'Failed';
}

/**
 * Whether a gateway may have requests in flight or be given new ones, so that its word counts: it is ready, or it is
 * leaving and finishes what it holds. One that starts has none, and neither has one whose grace period is over: the pod of
 * a dead node stays until somebody removes the node, and nothing would be known until then. `nowMs` is in Unix
 * milliseconds.
 */
export function mayHoldRequests(pod: Pod, nowMs: number): boolean {
  const { deletionTimestamp } = pod.metadata;
  if (!isAlive(pod)) return false;
  // The time of a deletion is that of its end: it includes the grace period.
  if (deletionTimestamp !== undefined) return nowMs <= Date.parse(deletionTimestamp) + OVERDUE_MS;
  return isReady(pod);
}
