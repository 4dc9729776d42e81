/** What a gateway counted on its way to a stand-in for the batch process. */
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { Agent } from 'undici';
import { eventually } from '../../../test/support/eventually.ts';
import { NO_USAGE_REPORT, usageReport, type UsageReport } from '../../channel/usage-report.ts';
import { UsageLedger } from './ledger.ts';
import { Meter } from './meter.ts';
import { MeterMetrics } from './metrics.ts';
import { REPORTS_TOGETHER, UsageReporter } from './reporter.ts';

let server: Server;
let answer: (response: ServerResponse, report: UsageReport) => void;
let told: UsageReport[];
let log: string;
let ledger: UsageLedger;
let registry: Registry;
let reporter: UsageReporter;

const taken = (response: ServerResponse): void => void response.writeHead(204).end();
const USE = { key: { namespace: 'team', name: 'web' }, deployment: { namespace: 'team', name: 'chat' } };

beforeEach(async () => {
  [told, log, answer] = [[], '', taken];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      expect(request.url).toBe('/internal/usage');
      const report = usageReport.parse(JSON.parse(body));
      told.push(report);
      answer(response, report);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ledger = new UsageLedger(() => undefined);
  reporter = reporterThatWaits(10_000);
});

function reporterThatWaits(answerMs: number): UsageReporter {
  registry = new Registry();
  const metrics = new MeterMetrics({ registry, keyExists: () => true });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new UsageReporter({
    upstream: { dispatcher: new Agent(), origin },
    ledger,
    meter: new Meter({ metrics, ledger, now: Date.now }),
    metrics,
    logger: pino({ level: 'trace' }, { write: (line: string) => (log += line) }),
    now: Date.now,
    intervalMs: 20,
    answerMs,
  });
}

afterEach(async () => {
  answer = taken;
  await reporter.close();
  server.close();
  server.closeAllConnections();
});

const refusal = (code: string): string => JSON.stringify({ error: { message: 'no', code } });
const use = (namespace = 'team'): void =>
  ledger.add({ ...USE, key: { ...USE.key, namespace } }, { requests: 1 }, Date.now());
const left = (): number => ledger.pending(Date.now()).toArray().length;
const lastTold = (): number | undefined => told.at(-1)?.rows[0]?.requests;

test('what changed is told once, and the next time with what came since', async () => {
  reporter.start();
  use();
  await eventually(() => expect(left()).toBe(0));
  expect(told).toMatchObject([{ namespace: 'team', replaces: null, rows: [{ requests: 1 }] }]);
  use();
  await eventually(() => expect(told).toHaveLength(2));
  expect(told[1]).toMatchObject({ part: told[0]?.part, replaces: told[0]?.revision, rows: [{ requests: 2 }] });
});

test.each([
  ['refuses', (response: ServerResponse) => void response.writeHead(503).end()],
  ['could not read it', (response: ServerResponse) => void response.writeHead(400).end(refusal('invalid_request'))],
  ['breaks off before it answers', (response: ServerResponse) => void response.destroy()],
])('a batch process that %s is told again until it takes it, and the log says so once', async (_, fails) => {
  answer = fails;
  reporter.start();
  use();
  await eventually(() => expect(told.length).toBeGreaterThan(2));
  expect(new Set(told.map(({ revision }) => revision)).size).toBe(1);
  use();
  answer = taken;
  await eventually(() => expect(left()).toBe(0));
  expect(lastTold()).toBe(2);
  expect(log.match(/does not take what was used/g)).toHaveLength(1);
  expect(log).toMatch(/takes what was used again/);
});

test('the end tells what is left, also to a batch process that is busy at first', async () => {
  use();
  answer = (response) => {
    answer = taken;
    response.writeHead(503).end();
  };
  await reporter.close();
  expect(told).toHaveLength(2);
  expect(left()).toBe(0);
  expect(log).not.toMatch(/did not take the last/);
});

test('a report that is refused is given up, told in the log and counted, and others are taken', async () => {
  answer = (response, { namespace }) =>
    void response.writeHead(namespace === 'bad' ? 400 : 204).end(refusal(NO_USAGE_REPORT));
  use('bad');
  use();
  reporter.start();
  await eventually(() => expect(left()).toBe(0));
  expect(log).toMatch(/"namespace":"bad".*given up/);
  expect(log).not.toMatch(/does not take/);
  expect(await registry.metrics()).toMatch(/usage_rows_dropped_total 1$/m);
  use('bad');
  await eventually(() => expect(told.filter(({ namespace }) => namespace === 'bad')).toHaveLength(2));
});

test('reports that get no answer in time hold up no others, however many there are', async () => {
  reporter = reporterThatWaits(300);
  const stuck = Array.from({ length: REPORTS_TOGETHER + 1 }, (_, index) => `stuck-${index}`);
  answer = (response, { namespace }) => {
    if (!stuck.includes(namespace)) taken(response);
  };
  for (const namespace of stuck) use(namespace);
  for (const namespace of ['team-a', 'team-b']) use(namespace);
  reporter.start();
  await eventually(() => expect(left()).toBe(stuck.length));
});
