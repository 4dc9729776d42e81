/** A port of this machine whose connections go on to somewhere else, such as a port of a pod. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';

export interface ForwardedPort {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Why the last connection came to nothing or broke; undefined where none did. */
  readonly failure: () => unknown;
  /** Ends it and all its connections. */
  close(): Promise<void>;
}

/** Listens on a free port of the loopback address; each connection goes on over what `connect` returns for it. */
export async function forwardPort(connect: () => Promise<Duplex>): Promise<ForwardedPort> {
  const locals = new Set<Socket>();
  let failure: unknown;
  const server = createServer((local) => {
    locals.add(local);
    local.once('close', () => locals.delete(local));
    // Before there is a pipeline; what is wrong with the client is its business.
    local.on('error', () => undefined);
    connect().then(
      (remote) => {
        failure = undefined;
        // Where the client goes first the pipeline ends it with an error too.
        remote.once('error', (error) => {
          if (!local.destroyed) failure = error;
        });
        pipeline(local, remote, local, () => remote.destroy());
      },
      (error: unknown) => {
        failure = error;
        local.destroy();
      },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failure: () => failure,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const local of locals) local.destroy();
      await closed;
    },
  };
}
