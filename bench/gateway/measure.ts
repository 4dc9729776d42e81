/** The two ways to load a target: as much as it takes, and at a fixed rate. */
import type { Histogram } from '../../test/load/histogram.ts';
import { nextArrival, seededRandom } from '../../test/load/random.ts';
import { Connection } from './connection.ts';

/** Latencies in milliseconds. */
export interface Latencies {
  firstByte: Histogram;
  end: Histogram;
}

export interface Counts {
  ok: number;
  failed: number;
}

/** Sends on every connection the next request after each answer, for `durationMs`. */
export async function saturate(
  port: number,
  request: Buffer,
  connections: number,
  durationMs: number,
): Promise<Counts & { seconds: number }> {
  const counts = { ok: 0, failed: 0 };
  const startedAt = performance.now();
  const work = async (): Promise<void> => {
    let connection = new Connection(port);
    while (performance.now() < startedAt + durationMs) {
      const { ok } = await connection.send(request);
      counts[ok ? 'ok' : 'failed'] += 1;
      if (connection.closed) connection = new Connection(port);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, work));
  return { ...counts, seconds: (performance.now() - startedAt) / 1000 };
}

/** Sends at random moments, `rate` a second whatever the answers, for `durationMs`; adds to `latencies`. */
export async function atRate(
  port: number,
  request: Buffer,
  load: { rate: number; durationMs: number; seed: number },
  latencies: Latencies,
): Promise<Counts> {
  const counts = { ok: 0, failed: 0 };
  const random = seededRandom(load.seed);
  const idle: Connection[] = [];
  const all: Connection[] = [];
  const send = async (): Promise<void> => {
    let connection = idle.pop();
    while (connection?.closed === true) connection = idle.pop();
    if (connection === undefined) {
      connection = new Connection(port);
      all.push(connection);
    }
    const { ok, sentAt, firstByteAt, endAt } = await connection.send(request);
    counts[ok ? 'ok' : 'failed'] += 1;
    if (!ok) return;
    latencies.firstByte.record(firstByteAt - sentAt);
    latencies.end.record(endAt - sentAt);
    idle.push(connection);
  };
  const sent: Promise<void>[] = [];
  const startedAt = performance.now();
  let at = startedAt;
  for (;;) {
    at += nextArrival(load.rate, random) * 1000;
    if (at > startedAt + load.durationMs) break;
    const wait = at - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    sent.push(send());
  }
  await Promise.all(sent);
  for (const connection of all) connection.close();
  return counts;
}
