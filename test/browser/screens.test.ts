/** Each screen as it looks: screenshots for people, axe for what can be checked, on a desk and on a phone. */
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page as Tab } from 'playwright-core';
import { chatChunk, openPage, OUT, startBrowser, startStandIn } from './browser.ts';
import { COST, detail, failing, history, live, starting, stopped } from './deployments.ts';
import type { StandIn } from './stand-in.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

let browser: Browser;
let standIn: StandIn;

beforeAll(async () => {
  mkdirSync(OUT, { recursive: true });
  [browser, standIn] = await Promise.all([startBrowser(), startStandIn()]);
  const now = Date.now() / 1000;
  standIn.history.set('qwen3-8b', history(now));
  standIn.chat = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(
      `${chatChunk('Salt comes from rocks: rivers carry it to the sea, and there it stays.', 'stop')}data: [DONE]\n\n`,
    );
  };
  standIn.set(
    detail('qwen3-8b', { cost: COST, live: live(now, 0.8), aliases: ['qwen'], adapters: ['sql'] }),
    failing('gemma-27b'),
    starting('llama-70b'),
    stopped('mistral-small'),
    detail('embeddings', {
      model: 'BAAI/bge-m3',
      cost: { ...COST, per_hour: '0.80', per_million_tokens: null },
      live: live(now, 0.1, { latency_p95_ms: 42, queued: 0 }),
    }),
    detail('team-b/whisper-large-with-a-rather-long-name', {
      ready: 'True',
      replicas: { desired: 3, ready: 2, starting: 0, draining: 0, failed: 1, min: 1, max: 3 },
      message: 'Replica whisper-x2 runs out of GPU memory at start: lower spec.engine.gpuMemoryUtilization.',
      reason: 'GPUOutOfMemory',
      live: live(now, 1),
    }),
    detail('at-zero', {
      reason: 'ScaledToZero',
      message: 'No replica runs for want of requests; the next request waits while one starts.',
      replicas: { desired: 0, ready: 0, starting: 0, draining: 0, failed: 0, min: 0, max: 2 },
    }),
  );
});

afterAll(async () => {
  await browser?.close();
  await standIn?.stop();
});

interface ScreenCase {
  key?: string;
  hash?: string;
  prepare: (tab: Tab) => Promise<void>;
  /** Undoes what it did to the gateway. */
  after?: () => Promise<void>;
}

const SCREENS: Readonly<Record<string, ScreenCase>> = {
  'sign-in': {
    prepare: async (tab) => {
      await tab.getByLabel('API key').fill('sk-wrong');
      await tab.getByRole('button', { name: 'Sign in' }).click();
      await tab.getByRole('alert').waitFor();
    },
  },
  list: { key: 'sk-admin', prepare: async (tab) => await tab.getByRole('link', { name: 'qwen3-8b' }).waitFor() },
  detail: {
    key: 'sk-admin',
    hash: '#/deployments/qwen3-8b',
    prepare: async (tab) => {
      await tab.getByLabel('Message').fill('Why is the sea salty?');
      await tab.getByRole('button', { name: 'Send' }).click();
      await tab.getByText('Answered.').waitFor();
      await tab.locator('.uplot').first().waitFor();
    },
  },
  failing: {
    key: 'sk-admin',
    hash: '#/deployments/gemma-27b',
    prepare: async (tab) => await tab.getByText('ModelGated').first().waitFor(),
  },
  lost: {
    key: 'sk-admin',
    prepare: async (tab) => {
      await tab.getByRole('link', { name: 'qwen3-8b' }).waitFor();
      await standIn.stop();
      await tab.getByText('Reconnecting').waitFor();
    },
    after: async () => await standIn.start(),
  },
  empty: {
    key: 'sk-view',
    prepare: async (tab) => {
      await tab.getByRole('link', { name: 'qwen3-8b' }).waitFor();
      standIn.tell('removed', { ids: [...standIn.deployments.keys()] });
      await tab.getByText('No deployment yet').waitFor();
    },
  },
  missing: {
    key: 'sk-view',
    hash: '#/deployments/nothing',
    prepare: async (tab) => await tab.getByRole('alert').waitFor(),
  },
};

const LOOKS: Readonly<Record<string, BrowserContextOptions>> = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

describe.each(Object.keys(LOOKS))('%s', (look) => {
  test.each(Object.keys(SCREENS))('%s: no serious finding, nothing that sticks out', async (screen) => {
    const { key, hash, prepare, after }: ScreenCase = SCREENS[screen] ?? { prepare: async () => undefined };
    const options = { ...(key && { key }), ...(hash && { hash }), ...LOOKS[look] };
    const { tab, close } = await openPage(browser, standIn, options);
    await prepare(tab);
    await tab.screenshot({ path: join(OUT, `${screen}-${look}.png`), fullPage: true });
    expect(await seriousFindings(tab)).toEqual([]);
    expect(await tab.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    await after?.();
    await close();
  });
});

/** The part of axe's report that is read. */
interface Findings {
  violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
}

/** Returns axe's findings of impact serious or critical, each with the elements it is about. */
async function seriousFindings(tab: Tab): Promise<string[]> {
  // By the debugger's world: the page's own policy lets no other script in.
  await tab.evaluate(readFileSync(AXE, 'utf8'));
  const { violations } = await tab.evaluate<Findings>('axe.run(document)');
  return violations
    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`,
    );
}
