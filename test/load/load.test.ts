/** The generator against a server that misbehaves on purpose, and against the simulated vLLM. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { spawnSimulator } from '../vllm-sim/child.ts';
import { LoadGenerator, type LoadOptions } from './generator.ts';
import { startLoad, zeroFailedViolation, type LoadReport } from './load.ts';

type Behaviour = (request: IncomingMessage, response: ServerResponse, stream: boolean) => void;

const ANSWER = JSON.stringify({ choices: [{ message: { content: 'a' }, finish_reason: 'stop' }] });
const EVENT = 'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n';
const END = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
const EVENT_STREAM = { 'content-type': 'text/event-stream' };

const answer: Behaviour = (_, response, stream) => {
  if (stream) response.writeHead(200, EVENT_STREAM).end(EVENT + END);
  else response.writeHead(200, { 'content-type': 'application/json' }).end(ANSWER);
};

let server: Server | undefined;
let received: { authorization: string | undefined; body: Record<string, unknown> }[] = [];

afterEach(async () => {
  received = [];
  server?.closeAllConnections();
  if (server !== undefined) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
});

async function serve(behave: Behaviour): Promise<string> {
  server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const body = JSON.parse(text) as Record<string, unknown>;
      received.push({ authorization: request.headers.authorization, body });
      behave(request, response, body['stream'] === true);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

/** Sends for a moment, all streams or none, and returns what became of it. */
async function load(baseUrl: string, options: Partial<LoadOptions> = {}): Promise<LoadReport> {
  return await new LoadGenerator({ baseUrl, model: 'm', rate: 200, durationSeconds: 0.25, ...options }).finished;
}

describe('arrivals', () => {
  test('come at the rate and in the kinds asked for, with key, model and the fields given', async () => {
    const baseUrl = await serve(answer);
    const report = await load(baseUrl, { key: 'k', durationSeconds: 0.5, streamShare: 0.3, body: { user: 'u' } });
    expect(report.requests).toBeGreaterThan(65);
    expect(report.requests).toBeLessThan(140);
    expect(received).toHaveLength(report.requests);
    expect(received[0]).toMatchObject({ authorization: 'Bearer k', body: { model: 'm', user: 'u', max_tokens: 32 } });
    const streams = received.filter(({ body }) => body['stream'] === true).length;
    expect(report.phases[0]?.stream.ok).toBe(streams);
    expect(streams / report.requests).toBeGreaterThan(0.1);
    expect(streams / report.requests).toBeLessThan(0.5);
    expect(report).toMatchObject({ ok: report.requests, failed: 0, cut: 0, late: 0, reasons: {} });
    expect(zeroFailedViolation(report)).toBeUndefined();
  });

  test('go on while a server does not answer, and what was under way is waited for', async () => {
    const waiting: (() => void)[] = [];
    const baseUrl = await serve((...context) => waiting.push(() => answer(...context)));
    const generator = new LoadGenerator({ baseUrl, model: 'm', rate: 200 });
    await eventually(() => expect(waiting.length).toBeGreaterThan(30));
    const stopped = generator.stop();
    const sent = await eventually(() => {
      expect(waiting.length).toBe(received.length);
      return waiting.length;
    });
    for (const go of waiting) go();
    const report = await stopped;
    expect(report.ok).toBeGreaterThanOrEqual(sent);
    expect(report.ok).toBe(report.requests);
  });

  test('beyond the bound of requests under way are not sent and count as failed', async () => {
    const waiting: (() => void)[] = [];
    const baseUrl = await serve((...context) => waiting.push(() => answer(...context)));
    const generator = new LoadGenerator({ baseUrl, model: 'm', rate: 500, durationSeconds: 0.1, maxInFlight: 3 });
    await eventually(() => expect(waiting).toHaveLength(3));
    await new Promise((resolve) => setTimeout(resolve, 150));
    for (const go of waiting) go();
    const report = await generator.finished;
    expect(report.ok).toBe(3);
    expect(report.reasons).toEqual({ 'failed: not sent': report.requests - 3 });
  });
});

describe('connections', () => {
  test('a kept-alive one that closes before the first byte is replaced once, and nothing failed', async () => {
    const used = new WeakSet<Socket>();
    const baseUrl = await serve((request, response, stream) => {
      if (used.has(request.socket)) {
        request.socket.destroy();
        return;
      }
      used.add(request.socket);
      answer(request, response, stream);
    });
    const report = await load(baseUrl);
    expect(report.reconnects).toBeGreaterThan(0);
    expect(report.ok).toBe(report.requests);
    expect(received).toHaveLength(report.requests + report.reconnects);
  });

  test('a new one that closes before the first byte has failed, and is not tried again', async () => {
    const baseUrl = await serve((request) => request.socket.destroy());
    const report = await load(baseUrl);
    expect(report).toMatchObject({ ok: 0, failed: report.requests, reconnects: 0 });
    expect(report.reasons).toEqual({ 'failed: ECONNRESET': report.requests });
    expect(received).toHaveLength(report.requests);
  });

  test('nobody listening is a failure', async () => {
    const baseUrl = await serve(answer);
    await new Promise((resolve) => server?.close(resolve));
    const report = await load(baseUrl);
    server = undefined;
    expect(report.reasons).toEqual({ 'failed: ECONNREFUSED': report.requests });
  });
});

const refused: Behaviour = (_, response) => {
  const error = { message: 'Full.', type: 'server_error', param: null, code: 'engine_full' };
  response.writeHead(503, { 'x-request-id': 'r-1' }).end(JSON.stringify({ error }));
};

const slow: Behaviour = (...context) => void setTimeout(() => answer(...context), 60);

describe('what goes wrong', () => {
  test.each<[string, number, Behaviour, string]>([
    ['an error with its code', 0, refused, 'failed: 503 engine_full'],
    ['an error instead of a stream', 1, refused, 'failed: 503 engine_full'],
    [
      'an error that is no OpenAI error',
      0,
      (_, r) => r.writeHead(502).end('{"detail":"x"}'),
      'failed: 502 no OpenAI error',
    ],
    ['an error page', 1, (_, r) => r.writeHead(502).end('<html>'), 'failed: 502 not JSON'],
    ['an empty answer', 0, (_, r) => r.writeHead(200).end('{"choices":[]}'), 'failed: 200 without a whole answer'],
    ['a stream that is none', 1, (_, r) => r.writeHead(200).end(ANSWER), 'failed: no event stream'],
    ['a stream without [DONE]', 1, (_, r) => r.writeHead(200, EVENT_STREAM).end(EVENT), 'cut: no [DONE]'],
    [
      'a stream with an error event',
      1,
      (_, r) => r.writeHead(200, EVENT_STREAM).end(`${EVENT}data: {"error":{"code":"engine_lost"}}\n\n`),
      'cut: error event engine_lost',
    ],
    [
      'a stream whose connection breaks',
      1,
      (_, r) => r.writeHead(200, EVENT_STREAM).write(EVENT, () => r.destroy()),
      'cut: no [DONE]',
    ],
    [
      'an answer whose connection breaks',
      0,
      (_, r) => r.writeHead(200, { 'content-length': 100 }).write('{', () => r.destroy()),
      'failed: 200 ECONNRESET',
    ],
    ['a stream that stalls', 1, (_, r) => r.writeHead(200, EVENT_STREAM).write(EVENT), 'cut: timeout'],
    ['an answer that never comes', 0, () => undefined, 'failed: timeout'],
  ])('%s', async (_, streamShare, behave, reason) => {
    const waits = reason.endsWith('timeout') && { timeoutMs: 200 };
    const report = await load(await serve(behave), { streamShare, ...waits });
    expect(report.requests).toBeGreaterThan(10);
    expect(report.reasons).toEqual({ [reason]: report.requests });
    expect(zeroFailedViolation(report)).toContain(reason);
  });

  test('examples name phase, kind and request, and are few', async () => {
    const report = await load(await serve(refused), { phase: 'drain', streamShare: 1 });
    expect(report.examples).toHaveLength(20);
    const message = expect.stringContaining('Full.');
    expect(report.examples[0]).toMatchObject({ phase: 'drain', kind: 'stream', requestId: 'r-1', message });
  });

  test('an answer after the bound is late, and not failed', async () => {
    const report = await load(await serve(slow), { lateAfterMs: 50 });
    expect(report).toMatchObject({ ok: 0, late: report.requests, failed: 0, cut: 0 });
    expect(report.phases[0]?.unary.firstByteMs?.p50).toBeGreaterThan(50);
  });

  test('a run without requests is not one of "zero failed"', async () => {
    const report = await load('http://127.0.0.1:9/v1', { rate: 0.001 });
    expect(zeroFailedViolation(report)).toBe('No request was sent.');
  });
});

describe('phases', () => {
  test('count what arrived in them, with latencies of their own; comments are no first event', async () => {
    let delay = 0;
    const baseUrl = await serve((_, response) => {
      response.writeHead(200, EVENT_STREAM).write(': held\n\n');
      setTimeout(() => response.end(EVENT + END), delay);
    });
    const generator = new LoadGenerator({ baseUrl, model: 'm', rate: 200, streamShare: 1 });
    await eventually(() => expect(received.length).toBeGreaterThan(20));
    generator.phase('slow');
    delay = 1_000;
    const before = received.length;
    await eventually(() => expect(received.length).toBeGreaterThan(before + 20));
    const report = await generator.stop();
    expect(report.phases.map(({ name }) => name)).toEqual(['start', 'slow']);
    const [start, slow] = report.phases;
    expect((start?.stream.ok ?? 0) + (slow?.stream.ok ?? 0)).toBe(report.requests);
    expect(start?.stream.firstByteMs?.p50).toBeLessThan(900);
    expect(slow?.stream.firstByteMs?.p50).toBeGreaterThan(900);
  });
});

describe('against the simulated vLLM', () => {
  const SIMULATOR = ['--model', 'sim', '--served-model-name', 'sim', '--shutdown-timeout', '10'];

  test('in its own process all is well, and a killed engine is seen for what it is', async () => {
    // Answers of about a second, so that many are under way at the kill, however busy the machine.
    const engine = spawnSimulator(SIMULATOR, { SIM_SPEED: '2' });
    const origin = await engine.ready();
    const running = startLoad({ baseUrl: `${origin}/v1`, model: 'sim', rate: 50, maxTokens: 200 });
    await eventually(async () => {
      const text = await (await fetch(`${origin}/metrics`)).text();
      const done = [...text.matchAll(/^vllm:request_success_total\{.*\} (\d+)/gm)].map(([, count]) => Number(count));
      expect(done.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(20);
    }).finally(() => engine.child.kill('SIGKILL'));
    running.phase('killed');
    await engine.ended;
    await new Promise((resolve) => setTimeout(resolve, 300));
    const report = await running.stop();
    const [healthy, killed] = report.phases;
    expect((healthy?.unary.ok ?? 0) + (healthy?.stream.ok ?? 0)).toBeGreaterThan(10);
    expect(killed?.unary.ok).toBe(0);
    // Whether the end of a cut stream is a FIN or a reset is the kernel's affair.
    const cuts = Object.entries(report.reasons).filter(([reason]) => reason.startsWith('cut: '));
    expect({ cuts: cuts.length > 0, reasons: report.reasons }).toMatchObject({ cuts: true });
    expect(report.reasons['failed: ECONNREFUSED']).toBeGreaterThan(0);
    expect(report.ok + report.failed + report.cut).toBe(report.requests);
  });

  test('the command prints a table and a last line of JSON; its exit code tells of failures', async () => {
    // Answers of about a second, so that many are under way at the kill, however busy the machine.
    const engine = spawnSimulator(SIMULATOR, { SIM_SPEED: '2' });
    const url = `${await engine.ready()}/v1`;
    const good = await command(url, 'sim');
    const bad = await command(url, 'absent');
    engine.child.kill('SIGKILL');
    await engine.ended;
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toMatch(/phase +kind +requests +ok/);
    const report = JSON.parse(good.stdout.trimEnd().split('\n').at(-1) ?? '') as LoadReport;
    expect(report.ok).toBeGreaterThan(10);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toMatch(/Of \d+ requests \d+ failed and 0 were cut: \d+ × failed: 404 404\./);
  });
});

async function command(url: string, model: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const args = ['--model', model, '--rate', '40', '--duration', '1', '--expect-zero-failed'];
  const env = { ...process.env, INFER_BASE_URL: url };
  return await new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(import.meta.dirname, 'main.ts'), ...args],
      { env },
      (error, stdout, stderr) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
    child.stdin?.end();
  });
}
