/** A proxy between a client and a server of the loopback interface, whose connections can be broken. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { reset } from '../faults/reset.ts';

/**
 * Breaks connections: each that has carried so many bytes in this direction, until that has happened so many times. With
 * `answerTo` they are only counted after a request that begins so.
 */
export interface Break {
  direction: 'to server' | 'to client';
  afterBytes: number;
  times: number;
  answerTo?: RegExp;
}

export interface TcpProxy {
  readonly port: number;
  /** How many connections the proxy has broken. */
  readonly broken: number;
  break(rule: Break): void;
  /** While true, what the server says is read and thrown away, and the connection stays. */
  silent: boolean;
  /** Breaks all connections and takes no more. */
  stop(): Promise<void>;
}

/** Starts a proxy on a free port that leads to `port`. */
export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let rule: Break | undefined;
  const state = { silent: false, broken: 0 };

  const join = (from: Socket, to: Socket, direction: Break['direction'], asked: { last: string }): void => {
    let carried = 0;
    from.on('data', (chunk: Buffer) => {
      carried += chunk.length;
      if (direction === 'to server') asked.last = chunk.toString('latin1', 0, 2_000);
      const meant = rule?.direction === direction && rule.answerTo?.test(asked.last) !== false;
      if (rule !== undefined && meant && carried > rule.afterBytes && rule.times > 0) {
        rule.times -= 1;
        state.broken += 1;
        reset(from);
        reset(to);
        return;
      }
      if (state.silent && direction === 'to client') return;
      if (to.write(chunk)) return;
      from.pause();
      to.once('drain', () => from.resume());
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      to.destroy();
      sockets.delete(from);
    });
  };

  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    sockets.add(client).add(upstream);
    const asked = { last: '' };
    join(client, upstream, 'to server', asked);
    join(upstream, client, 'to client', asked);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    get broken() {
      return state.broken;
    },
    get silent() {
      return state.silent;
    },
    set silent(value) {
      state.silent = value;
    },
    break(next) {
      rule = next;
    },
    async stop() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) reset(socket);
      await closed;
    },
  };
}
