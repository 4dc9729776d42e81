/** Both ends of the load channel over real TLS, with a stand-in for the API server that signs their tokens. */
import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { stopTimers } from '../../test/support/clock.ts';
import { deploymentReport } from '../../test/support/reports.ts';
import { eventually } from '../../test/support/eventually.ts';
import { TokenIssuer } from '../../test/support/token-issuer.ts';
import type { Pod } from '../api/kubernetes.ts';
import { createCertificate } from './certificate.ts';
import { followGateway, type Tell } from './client.ts';
import type { ChannelEnd } from './handshake.ts';
import { audienceOf, ChannelIdentity } from './identity.ts';
import { GatewayLinks } from './links.ts';
import {
  MAX_HELLO_BYTES,
  PROTOCOL,
  REPORT_INTERVAL_MS,
  type DeploymentReport,
  type Heartbeat,
  type Report,
} from './messages.ts';
import { ChannelServer, type LeaderTalk, type ReportSource } from './server.ts';
import { PeerVerifier } from './verifier.ts';

const NAMESPACE = 'infer-system';
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

function entry(uid: string, arrivals: number): DeploymentReport {
  return deploymentReport(uid, { arrivals });
}

/** What a gateway would count. */
class Source implements ReportSource {
  #version = 0;
  readonly #entries = new Map<string, { version: number; report: DeploymentReport }>();
  readonly #listeners = new Set<() => void>();

  set(report: DeploymentReport, urgent = false): void {
    this.#version += 1;
    this.#entries.set(report.uid, { version: this.#version, report });
    if (urgent) for (const listener of this.#listeners) listener();
  }

  changesSince(version: number): { version: number; deployments: DeploymentReport[] } {
    const changed = [...this.#entries.values()].filter((each) => each.version > version);
    return { version: this.#version, deployments: changed.map(({ report }) => report) };
  }

  onUrgent(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** What a gateway would say besides, and what it hears. */
class Talk implements LeaderTalk {
  readonly messages: Heartbeat[] = [];
  #version = 1;
  #words: Pick<Report, 'watch' | 'sealingKeys'> = { sealingKeys: [] };
  readonly #listeners = new Set<() => void>();

  set(words: Pick<Report, 'watch' | 'sealingKeys'>): void {
    this.#version += 1;
    this.#words = words;
    for (const listener of this.#listeners) listener();
  }

  wordsSince(version: number): ReturnType<LeaderTalk['wordsSince']> {
    return version === this.#version ? undefined : { version: this.#version, words: this.#words };
  }

  onUrgent(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  heard(message: Heartbeat): void {
    this.messages.push(message);
  }
}

let issuer: TokenIssuer;
let source: Source;
let stop: AbortController;
let following: Promise<void>[];
let servers: ChannelServer[];

beforeEach(async () => {
  issuer = await TokenIssuer.create();
  source = new Source();
  stop = new AbortController();
  following = [];
  servers = [];
});

afterEach(async () => {
  jest.useRealTimers();
  stop.abort();
  await Promise.all([...following, ...servers.map(async (server) => await server.close())]);
});

function makeEnd(own: string, peer: string, options: { issuer?: TokenIssuer; podUid?: string } = {}): ChannelEnd {
  const from = options.issuer ?? issuer;
  return {
    identity: new ChannelIdentity({
      client: from,
      account: { namespace: NAMESPACE, name: own },
      ...(options.podUid !== undefined && { pod: { name: 'pod', uid: options.podUid } }),
    }),
    verifier: new PeerVerifier(from),
    instance: `${own}-1`,
    peerAccount: { namespace: NAMESPACE, name: peer },
  };
}

const gatewayEnd = (podUid = 'gw-1'): ChannelEnd => makeEnd('infer-gateway', 'infer-operator', { podUid });
const operatorEnd = (): ChannelEnd => makeEnd('infer-operator', 'infer-gateway');

async function serve(end: ChannelEnd = gatewayEnd(), talk?: LeaderTalk): Promise<number> {
  const server = new ChannelServer({ end, source, logger: silent, ...(talk && { talk }) });
  servers.push(server);
  return await server.listen(0, '127.0.0.1');
}

interface Heard {
  events: string[];
  reports: Report[];
  failures: string[];
  tell: Tell;
}

function follow(port: number, end: ChannelEnd = operatorEnd(), podUid = 'gw-1'): Heard {
  const heard: Heard = { events: [], reports: [], failures: [], tell: () => false };
  const run = followGateway(
    {
      end,
      gateway: { podUid, host: '127.0.0.1', port },
      listener: {
        connected: (pod, instance, tell) => {
          heard.events.push(`connected ${pod} ${instance}`);
          heard.tell = tell;
        },
        disconnected: (pod) => heard.events.push(`disconnected ${pod}`),
        report: (_, report) => heard.reports.push(report),
      },
      logger: silent,
      onFailure: (reason) => heard.failures.push(reason),
    },
    stop.signal,
  );
  following.push(run);
  return heard;
}

const deploymentsOf = (heard: Heard): string[] =>
  heard.reports.flatMap(({ deployments }) => deployments.map(({ uid, arrivals }) => `${uid} ${arrivals}`));

describe('reports', () => {
  test('tell all that is known first, then what changed, and that there is nothing', async () => {
    source.set(entry('a', 1));
    const heard = follow(await serve());
    await eventually(() => expect(deploymentsOf(heard)).toEqual(['a 1']));
    expect(heard.events).toEqual(['connected gw-1 infer-gateway-1']);
    source.set(entry('b', 2));
    await eventually(() => expect(deploymentsOf(heard)).toEqual(['a 1', 'b 2']));
    const before = heard.reports.length;
    await eventually(() => expect(heard.reports.length).toBeGreaterThan(before));
    expect(heard.reports.at(-1)).toEqual({ type: 'report', more: false, deployments: [] });
  });

  test('of what is urgent do not wait for their turn', async () => {
    // The next in turn never comes.
    stopTimers('Interval');
    const heard = follow(await serve());
    await eventually(() => expect(heard.reports).toHaveLength(1));
    source.set(entry('woken', 1), true);
    await eventually(() => expect(deploymentsOf(heard)).toEqual(['woken 1']));
  });

  test('go to two leaders while one takes over', async () => {
    const port = await serve();
    const [one, two] = [follow(port), follow(port)];
    source.set(entry('a', 1));
    await eventually(() => {
      expect(deploymentsOf(one)).toContain('a 1');
      expect(deploymentsOf(two)).toContain('a 1');
    });
  });

  test('begin anew with all that is known after a break', async () => {
    source.set(entry('a', 1));
    const port = await serve();
    const heard = follow(port);
    await eventually(() => expect(deploymentsOf(heard)).toEqual(['a 1']));
    await servers.pop()?.close();
    await eventually(() => expect(heard.events).toContain('disconnected gw-1'));
    const again = new ChannelServer({ end: gatewayEnd(), source, logger: silent });
    servers.push(again);
    await again.listen(port, '127.0.0.1');
    await eventually(() => expect(deploymentsOf(heard)).toEqual(['a 1', 'a 1']), 20_000);
    expect(heard.failures[0]).toBe('broken');
  });
});

const wordsOf = (heard: Heard): unknown[] =>
  heard.reports.flatMap(({ watch, sealingKeys }) => (sealingKeys ? [watch ?? 'nothing'] : []));

describe('what is watched', () => {
  const watch = { version: 2, namespaces: ['team-a'], details: [] };
  test('is said first on each connection and at once when it changes, and the answer heard', async () => {
    const talk = new Talk();
    // No report comes in turn.
    stopTimers('Interval');
    const port = await serve(gatewayEnd(), talk);
    const heard = follow(port);
    await eventually(() => expect(wordsOf(heard)).toEqual(['nothing']));
    expect(heard.reports[0]).toMatchObject({ more: true, deployments: [] });
    talk.set({ watch, sealingKeys: [] });
    await eventually(() => expect(wordsOf(heard)).toEqual(['nothing', watch]));
    expect(heard.tell({ type: 'heartbeat', live: { watch: 2, more: false, deployments: [] } })).toBe(true);
    await eventually(() => expect(talk.messages).toContainEqual(expect.objectContaining({ live: expect.anything() })));
    // What did not change is not said again, but to another leader.
    const next = follow(port);
    await eventually(() => expect(next.reports).toHaveLength(2));
    jest.advanceTimersByTime(REPORT_INTERVAL_MS);
    await eventually(() => expect(next.reports).toHaveLength(3));
    expect(wordsOf(next)).toEqual([watch]);
    expect(wordsOf(heard)).toHaveLength(2);
  });

  test('does not hide from an operator that the reports are refused', async () => {
    source.set({ ...entry('a', 1), arrivals: -1 });
    const heard = follow(await serve(gatewayEnd(), new Talk()));
    await eventually(() => expect(heard.failures.length).toBeGreaterThan(2), 20_000);
    // Waits of at least 400 and 800 ms, in place of two of at most 200.
    const [before, startedAt] = [heard.failures.length, performance.now()];
    await eventually(() => expect(heard.failures.length).toBeGreaterThan(before + 1), 20_000);
    expect(performance.now() - startedAt).toBeGreaterThan(700);
  });

  test('is not said by a gateway of before, whose reports are heard all the same', async () => {
    source.set(entry('a', 1));
    const heard = follow(await serve());
    await eventually(() => expect(deploymentsOf(heard)).toEqual(['a 1']));
    expect(heard.tell({ type: 'heartbeat', live: { watch: 2, more: false, deployments: [] } })).toBe(true);
    const before = heard.reports.length;
    await eventually(() => expect(heard.reports.length).toBeGreaterThan(before));
    expect(wordsOf(heard)).toEqual([]);
  });
});

test('a gateway that has become ready is connected to at once, however often it refused', async () => {
  const port = await serve();
  await servers.pop()?.close();
  const pod = { metadata: { name: 'gw', uid: 'gw-1' }, status: { phase: 'Running', podIP: '127.0.0.1' } };
  const conditions = [{ type: 'Ready', status: 'True' as const }];
  let pods: Pod[] = [pod];
  const [connected, failures]: [string[], string[]] = [[], []];
  const links = new GatewayLinks({
    end: operatorEnd(),
    pods: { list: () => pods },
    port,
    listener: {
      connected: (podUid) => connected.push(podUid),
      report: () => undefined,
      disconnected: () => undefined,
    },
    logger: silent,
    onFailure: (reason) => failures.push(reason),
  });
  stopTimers('Timeout');
  links.refresh();
  for (let count = 1; count < 5; count += 1) {
    await eventually(() => expect(failures).toHaveLength(count), 20_000, 5);
    jest.advanceTimersByTime(10_000);
  }
  // The next try by itself never comes.
  await eventually(() => expect(failures).toHaveLength(5), 20_000, 5);
  const server = new ChannelServer({ end: gatewayEnd(), source, logger: silent });
  servers.push(server);
  await server.listen(port, '127.0.0.1');
  pods = [{ ...pod, status: { ...pod.status, conditions } }];
  links.refresh();
  links.refresh();
  await eventually(() => expect(connected).toEqual(['gw-1']));
  // One that is connected stays so.
  links.refresh();
  await links.stop();
  expect(connected).toEqual(['gw-1']);
});

test('who only opens connections keeps nobody else out', async () => {
  const port = await serve();
  const idle = Array.from({ length: 100 }, () => connectPlain({ host: '127.0.0.1', port, localAddress: '127.0.0.9' }));
  for (const socket of idle) socket.on('error', () => undefined);
  const heard = follow(port);
  await eventually(() => expect(heard.events).toHaveLength(1));
  for (const socket of idle) socket.destroy();
});

describe('an operator believes no gateway', () => {
  test.each([
    ['of another pod', () => gatewayEnd('gw-2')],
    ['with the account of another', () => makeEnd('default', 'infer-operator', { podUid: 'gw-1' })],
    ['outside of a pod', () => makeEnd('infer-gateway', 'infer-operator')],
  ])('%s', async (_, end) => {
    const heard = follow(await serve(end()));
    await eventually(() => expect(heard.failures).toContain('refused'));
    expect(heard.events).toEqual([]);
  });

  test('whose token another cluster signed', async () => {
    const foreign = await TokenIssuer.create();
    const end = makeEnd('infer-gateway', 'infer-operator', { issuer: foreign, podUid: 'gw-1' });
    const heard = follow(await serve(end));
    await eventually(() => expect(heard.failures).toContain('refused'));
    expect(heard.events).toEqual([]);
  });

  test('that shows the token of a real one without its key', async () => {
    // The man in the middle: it has a certificate of its own and passes on what the real gateway says.
    const real = gatewayEnd();
    const { value: token } = await real.identity.token();
    const { key, cert } = createCertificate(new Date());
    const middle = createServer({ key, cert }, (socket) => {
      socket.on('error', () => undefined);
      socket.write(`${JSON.stringify({ type: 'hello', protocol: PROTOCOL, token, instance: 'x' })}\n`);
      socket.write(`${JSON.stringify({ type: 'report', more: false, deployments: [] })}\n`);
    });
    await once(middle.listen(0, '127.0.0.1'), 'listening');
    const heard = follow((middle.address() as { port: number }).port);
    await eventually(() => expect(heard.failures).toContain('refused'));
    expect(heard).toMatchObject({ events: [], reports: [] });
    stop.abort();
    await Promise.all(following);
    middle.close();
  });
});

/** Says `lines` to a gateway and returns what it answers until it closes the connection. */
async function say(lines: (keyHash: string) => Promise<string>, withCertificate = true): Promise<string> {
  source.set(entry('secret', 1));
  const port = await serve();
  const { key, cert, keyHash } = createCertificate(new Date());
  const socket: TLSSocket = connect({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ...(withCertificate && { key, cert }),
  });
  let heard = '';
  socket.on('data', (data) => (heard += String(data)));
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  socket.write(await lines(keyHash));
  if (!socket.closed) await once(socket, 'close');
  return heard;
}

const hello = (token: string): string =>
  `${JSON.stringify({ type: 'hello', protocol: PROTOCOL, token, instance: 'x' })}\n`;
const tokenFor = async (name: string, audience: string): Promise<string> => {
  const account = { namespace: NAMESPACE, name };
  return (await issuer.requestToken(account, { audiences: [audience], expirationSeconds: 600 })).token;
};

describe('a gateway tells nothing', () => {
  test.each([
    ['the account of another', async (keyHash: string) => hello(await tokenFor('default', audienceOf(keyHash)))],
    ['a token for another key', async () => hello(await tokenFor('infer-operator', audienceOf('another')))],
    ['a token for the API server', async () => hello(await tokenFor('infer-operator', 'https://kubernetes'))],
    ['a token that is none', async () => hello('eyJhbGciOiJub25lIn0.e30.')],
    ['no hello', async () => `${JSON.stringify({ type: 'heartbeat' })}\n`],
    ['a hello without end', async () => 'x'.repeat(MAX_HELLO_BYTES + 1)],
    [
      'another protocol',
      async (keyHash: string) =>
        hello(await tokenFor('infer-operator', audienceOf(keyHash))).replace(`"protocol":${PROTOCOL}`, '"protocol":99'),
    ],
  ])('to %s', async (_, lines) => {
    expect(await say(lines)).not.toContain('secret');
  });

  test('to an operator without a certificate', async () => {
    expect(
      await say(async (keyHash) => hello(await tokenFor('infer-operator', audienceOf(keyHash))), false),
    ).not.toContain('secret');
  });

  test('more to one that says what is no heartbeat', async () => {
    const heard = await say(
      async (keyHash) => `${hello(await tokenFor('infer-operator', audienceOf(keyHash)))}{"type":"drop tables"}\n`,
    );
    // It was known and told before it said so.
    expect(heard).toContain('secret');
  });

  test('to a token that has expired', async () => {
    issuer.lifetimeSeconds = -120;
    expect(await say(async (keyHash) => hello(await tokenFor('infer-operator', audienceOf(keyHash))))).not.toContain(
      'secret',
    );
  });
});

describe('tokens', () => {
  test('are asked for once, however many connections need one, and anew before they end', async () => {
    const { identity } = gatewayEnd();
    const [first, second] = await Promise.all([identity.token(), identity.token()]);
    expect(second).toBe(first);
    expect(issuer.requests).toBe(1);
    issuer.lifetimeSeconds = 0;
    const brief = gatewayEnd().identity;
    await brief.token();
    await brief.token();
    expect(issuer.requests).toBe(3);
  });

  test('signed with a key that is new are believed once the keys are read again', async () => {
    const heard = follow(await serve());
    await eventually(() => expect(heard.events).toHaveLength(1));
    await issuer.rotate();
    const fresh = follow(await serve(gatewayEnd('gw-2')), operatorEnd(), 'gw-2');
    await eventually(() => expect(fresh.events).toEqual(['connected gw-2 infer-gateway-1']));
  });
});
