/** 500 deployments, and more updates than a gateway sends. PAGE_SECONDS is how long. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, CDPSession, Page as Tab } from 'playwright-core';
import { eventually } from '../support/eventually.ts';
import { openPage, OUT, startBrowser, startStandIn } from './browser.ts';
import { detail, failing, history, live } from './deployments.ts';
import type { StandIn } from './stand-in.ts';

const COUNT = 500;
const UPDATES_PER_SECOND = 60;
const SECONDS = Number(process.env['PAGE_SECONDS'] ?? 45);
/** Until what grows by use, compiled code and pools of text, has grown. */
const WARM_UP_SECONDS = 10;

let browser: Browser;
let standIn: StandIn;

beforeAll(async () => {
  [browser, standIn] = await Promise.all([startBrowser(), startStandIn()]);
  for (let index = 0; index < COUNT; index++) {
    const id = name(index);
    standIn.deployments.set(id, index % 50 === 0 ? failing(id) : detail(id, { live: live(Date.now() / 1000, 0.3) }));
  }
});

afterAll(async () => {
  await browser?.close();
  await standIn?.stop();
});

function name(index: number): string {
  return `model-${String(index).padStart(3, '0')}`;
}

test('all that the page loads is below 100 kB, compressed as gzip', () => {
  const sizes = readdirSync(join(OUT, 'page'))
    .filter((file) => file.endsWith('.gz'))
    .map((file) => statSync(join(OUT, 'page', file)).size);
  expect(sizes).toHaveLength(3);
  const size = sizes.reduce((a, b) => a + b);
  console.info(`The page is ${(size / 1000).toFixed(1)} kB.`);
  expect(size).toBeLessThan(100_000);
});

/** Notes when a frame with all rows was drawn, in milliseconds from the start of the navigation. */
const NOTE_ALL_ROWS = `(() => {
  const look = () => {
    if (document.querySelectorAll('tbody tr').length < ${COUNT}) requestAnimationFrame(look);
    else requestAnimationFrame(() => setTimeout(() => (globalThis.allRowsMs = performance.now())));
  };
  requestAnimationFrame(look);
})()`;

test('500 deployments are painted within a second', async () => {
  const times: number[] = [];
  // The machine may be busy with others, and for a minute: once is enough.
  for (let attempt = 0; attempt < 40 && !times.some((time) => time < 1000); attempt++) {
    const { tab, close } = await openPage(browser, standIn, { key: 'sk-admin', initScript: NOTE_ALL_ROWS });
    times.push(
      await eventually(async () => {
        const time = await tab.evaluate<number | undefined>('globalThis.allRowsMs');
        if (time === undefined) throw new Error('Not all rows are there.');
        return time;
      }),
    );
    if (attempt === 0) await tab.screenshot({ path: join(OUT, 'many-light.png') });
    await close();
  }
  console.info(`All rows were painted after ${times.map((time) => `${Math.round(time)} ms`).join(', ')}.`);
  expect(Math.min(...times)).toBeLessThan(1000);
}, 180_000);

test.each(['list', 'detail'])(
  `60 updates a second for ${SECONDS} s do not make the %s grow`,
  async (screen) => {
    standIn.history.set(name(1), history());
    const hash = screen === 'list' ? '' : `#/deployments/${name(1)}`;
    const { tab, close } = await openPage(browser, standIn, { key: 'sk-admin', hash });
    await (screen === 'list' ? tab.getByRole('link', { name: name(1) }) : tab.locator('.uplot').first()).waitFor();
    const debuggers = await tab.context().newCDPSession(tab);
    await debuggers.send('Performance.enable');
    const updates = new Updates();
    await updates.send(WARM_UP_SECONDS);
    const before = {
      heap: await heapBytes(debuggers),
      nodes: await nodeCount(tab),
      busy: await busySeconds(debuggers),
    };
    const started = performance.now();
    await updates.send(SECONDS);
    const share = (await busySeconds(debuggers)) - before.busy;
    const seconds = (performance.now() - started) / 1000;
    const lagMs = await updates.lagMs(tab, screen);
    const growth = (await heapBytes(debuggers)) - before.heap;
    console.info(
      `${screen}: ${updates.sent} updates in ${seconds.toFixed(0)} s; heap ${megabytes(before.heap)} and ${megabytes(growth)} more after; ` +
        `${((100 * share) / seconds).toFixed(0)} % of a processor; the last was seen after ${Math.round(lagMs)} ms.`,
    );
    expect(growth).toBeLessThan(1_000_000);
    expect(Math.abs((await nodeCount(tab)) - before.nodes)).toBeLessThan(500);
    expect(lagMs).toBeLessThan(2000);
    await close();
  },
  (SECONDS + WARM_UP_SECONDS + 60) * 1000,
);

/** Changes of deployments, one after the other, and samples of the first. */
class Updates {
  sent = 0;

  async send(seconds: number): Promise<void> {
    const before = this.sent;
    const end = before + seconds * UPDATES_PER_SECOND;
    const started = performance.now();
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        // By the clock: on a busy machine timers come late.
        const due = before + ((performance.now() - started) / 1000) * UPDATES_PER_SECOND;
        while (this.sent < Math.min(due, end)) this.#one();
        if (this.sent < end) return;
        clearInterval(timer);
        resolve();
      }, 1000 / UPDATES_PER_SECOND);
    });
  }

  #one(): void {
    const index = this.sent++ % COUNT;
    const now = Date.now() / 1000;
    const load = (this.sent % 97) / 97;
    const id = name(index);
    standIn.set(detail(id, { live: live(now, load) }));
    standIn.sample(name(1), live(now, load));
    // As a gateway sends it: a detail is followed by its changes.
    standIn.set(detail(name(1), { live: live(now, load) }));
  }

  /** Returns how long the newest takes to be seen. */
  async lagMs(tab: Tab, screen: string): Promise<number> {
    const started = performance.now();
    standIn.set(detail(name(1), { live: live(started, 0, { requests_per_second: 77_777 }) }));
    const where = screen === 'list' ? tab.getByRole('cell') : tab.locator('.figures');
    await where.getByText('77,777').first().waitFor();
    return performance.now() - started;
  }
}

async function heapBytes(debuggers: CDPSession): Promise<number> {
  await debuggers.send('HeapProfiler.collectGarbage');
  await debuggers.send('HeapProfiler.collectGarbage');
  return (await debuggers.send('Runtime.getHeapUsage')).usedSize;
}

async function nodeCount(tab: Tab): Promise<number> {
  return await tab.evaluate<number>('document.querySelectorAll("*").length');
}

async function busySeconds(debuggers: CDPSession): Promise<number> {
  const { metrics } = await debuggers.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(2)} MB`;
}
