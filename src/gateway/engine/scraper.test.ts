import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { Agent } from 'undici';
import { engine } from '../../../test/support/gateway-bed.ts';
import { eventually } from '../../../test/support/eventually.ts';
import { FakeDeployment } from '../../../test/support/gateway.ts';
import type { Replica } from '../types.ts';
import { EngineScraper } from './scraper.ts';

const INTERVAL_MS = 60;
const GOOD = `vllm:num_requests_running{engine="0"} 2.0
vllm:num_requests_waiting{engine="0"} 1.0
vllm:kv_cache_usage_perc{engine="0"} 0.5
vllm:prompt_tokens_total{engine="0"} 100.0
vllm:generation_tokens_total{engine="0"} 200.0
`;

let scraper: EngineScraper;
let agent: Agent;
let read: number;
let failed: number;

beforeEach(() => {
  read = 0;
  failed = 0;
  agent = new Agent();
  scraper = scraperThatWaits(10_000);
});

afterEach(async () => {
  scraper.close();
  await agent.destroy();
});

function scraperThatWaits(scrapeTimeoutMs: number): EngineScraper {
  return new EngineScraper({
    dispatcher: agent,
    limits: { scrapeIntervalMs: INTERVAL_MS, scrapeTimeoutMs, scrapeBytes: 64 * 1024 },
    onRead: () => (read += 1),
    onFailure: () => (failed += 1),
  });
}

/** A replica whose engine answers /metrics in this way, and how often it was asked. */
async function replicaOf(
  metrics: (response: ServerResponse) => void,
): Promise<{ deployment: FakeDeployment; replica: Replica; asked: () => number }> {
  let asked = 0;
  const { origin } = await engine(
    () => undefined,
    () => true,
    (response) => {
      asked += 1;
      metrics(response);
    },
  );
  const deployment = new FakeDeployment('tiny');
  return { deployment, replica: deployment.add(origin), asked: () => asked };
}

test('a replica with a request is read again and again, and some times after its last', async () => {
  const { asked, deployment, replica } = await replicaOf((response) => response.end(GOOD));
  scraper.begin(deployment, replica);
  scraper.begin(deployment, replica);
  await eventually(() => expect(asked()).toBeGreaterThan(2));
  expect(replica.engine).toMatchObject({
    waiting: 1,
    kvCacheUsage: 0.5,
    totals: { running: 2, deferred: 0, promptTokens: 100, generatedTokens: 200 },
  });
  scraper.end(replica);
  const before = asked();
  await eventually(() => expect(asked()).toBeGreaterThan(before + 1));
  scraper.end(replica);
  const endedAt = performance.now();
  let last = -1;
  await eventually(
    () => {
      const now = asked();
      const stopped = now === last;
      last = now;
      expect(stopped).toBe(true);
    },
    5_000,
    4 * INTERVAL_MS,
  );
  expect(last).toBeGreaterThan(before + 1);
  expect(replica.engine?.at).toBeGreaterThan(endedAt);
  expect(read).toBe(last);
  expect(failed).toBe(0);
});

test('one that has no requests is never read', async () => {
  const busy = await replicaOf((response) => response.end(GOOD));
  const idle = await replicaOf((response) => response.end(GOOD));
  scraper.begin(busy.deployment, busy.replica);
  await eventually(() => expect(busy.asked()).toBeGreaterThan(3));
  expect(idle.asked()).toBe(0);
});

describe('nothing is learned of an engine', () => {
  test.each<[string, (response: ServerResponse) => void]>([
    ['that has no metrics', (response) => response.writeHead(404).end(GOOD)],
    ['that sends another page', (response) => response.writeHead(302, { location: '/other' }).end(GOOD)],
    ['that breaks off', (response) => response.write(GOOD, () => response.destroy())],
    ['that hangs', () => undefined],
    ['that hangs in the middle', (response) => void response.write(GOOD)],
    ['that never ends', (response) => endless(response)],
    ['that says nonsense', (response) => response.end(GOOD.replaceAll('0', 'x'))],
  ])('%s, and it is asked again', async (_, metrics) => {
    scraper = scraperThatWaits(300);
    const { asked, deployment, replica } = await replicaOf(metrics);
    scraper.begin(deployment, replica);
    await eventually(() => expect(failed).toBeGreaterThan(1));
    expect(asked()).toBeGreaterThan(1);
    expect(replica.engine).toBeUndefined();
    expect(read).toBe(0);
  });
});

test('a failure of one that serves no longer is none', async () => {
  const { asked, deployment, replica } = await replicaOf((response) => response.writeHead(404).end());
  replica.serving = false;
  scraper.begin(deployment, replica);
  await eventually(() => expect(asked()).toBeGreaterThan(2));
  expect(failed).toBe(0);
  replica.serving = true;
  await eventually(() => expect(failed).toBeGreaterThan(0));
});

function endless(response: ServerResponse): void {
  const more = (): void => {
    if (!response.destroyed) response.write(GOOD.repeat(100), () => setImmediate(more));
  };
  more();
}
