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
import { usageReport, type UsageReport } from '../../channel/usage-report.ts';
import { UsageLedger } from './ledger.ts';
import { Meter } from './meter.ts';
import { MeterMetrics } from './metrics.ts';
import { UsageReporter } from './reporter.ts';

let server: Server;
let answer: (response: ServerResponse) => void;
let told: UsageReport[];
let log: string;
let ledger: UsageLedger;
let reporter: UsageReporter;

const taken = (response: ServerResponse): void => void response.writeHead(204).end();
const USE = { key: { namespace: 'team', name: 'web' }, deployment: { namespace: 'team', name: 'chat' } };

beforeEach(async () => {
  [told, log, answer] = [[], '', taken];
  server = createServer((request, response) => {
    void text(request).then((body) => {
      expect(request.url).toBe('/internal/usage');
      told.push(usageReport.parse(JSON.parse(body)));
      answer(response);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ledger = new UsageLedger(() => undefined);
  const metrics = new MeterMetrics({ registry: new Registry(), keyExists: () => true });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  reporter = new UsageReporter({
    upstream: { dispatcher: new Agent(), origin },
    ledger,
    meter: new Meter({ metrics, ledger, now: Date.now }),
    logger: pino({ level: 'trace' }, { write: (line: string) => (log += line) }),
    now: Date.now,
    intervalMs: 20,
  });
});

afterEach(async () => {
  answer = taken;
  await reporter.close();
  server.close();
  server.closeAllConnections();
});

const use = (): void => ledger.add(USE, { requests: 1 }, Date.now());
const lastTold = (): number | undefined => told.at(-1)?.rows[0]?.requests;

test('what changed is told once, and the next time with what came since', async () => {
  reporter.start();
  use();
  await eventually(() => expect(ledger.pending(Date.now())).toEqual([]));
  expect(told).toMatchObject([{ namespace: 'team', replaces: null, rows: [{ requests: 1 }] }]);
  use();
  await eventually(() => expect(told).toHaveLength(2));
  expect(told[1]).toMatchObject({ part: told[0]?.part, replaces: told[0]?.revision, rows: [{ requests: 2 }] });
});

test.each([
  ['refuses', (response: ServerResponse) => void response.writeHead(503).end()],
  ['breaks off before it answers', (response: ServerResponse) => void response.destroy()],
])('a batch process that %s is told again until it takes it, and the log says so once', async (_, fails) => {
  answer = fails;
  reporter.start();
  use();
  await eventually(() => expect(told.length).toBeGreaterThan(2));
  expect(new Set(told.map(({ revision }) => revision)).size).toBe(1);
  use();
  answer = taken;
  await eventually(() => expect(ledger.pending(Date.now())).toEqual([]));
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
  expect(ledger.pending(Date.now())).toEqual([]);
  expect(log).not.toMatch(/did not take the last/);
});
