/** Chromium with the page of these sources. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page as Tab } from 'playwright-core';
import { buildPage } from '../../build/page.ts';
import { readPage, type Page } from '../../src/gateway/routes/page.ts';
import { ensurePackages } from '../cluster/packages.ts';
import { StandIn } from './stand-in.ts';

export const OUT = join(import.meta.dirname, 'out');

/** For the page to be there with what it shows, on a busy machine. */
const PATIENCE_MS = 15_000;

/** Starts Chromium; installs it where it is missing. */
export async function startBrowser(): Promise<Browser> {
  await ensurePackages(['chromium', 'fonts-dejavu-core'], 'to test the web page', (line) =>
    process.stderr.write(`${line}\n`),
  );
  return await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Chromium's sandbox does not start as root.
    args: ['--no-sandbox'],
  });
}

/** Returns the page as it is built now. */
export async function currentPage(): Promise<Page> {
  const folder = join(OUT, 'page');
  rmSync(folder, { recursive: true, force: true });
  await buildPage(folder);
  const page = readPage(folder);
  if (page === undefined) throw new Error('The page was not built.');
  return page;
}

/** Starts a stand-in for the gateway that serves the page. */
export async function startStandIn(): Promise<StandIn> {
  const standIn = new StandIn(await currentPage());
  await standIn.start();
  return standIn;
}

export interface OpenOptions extends BrowserContextOptions {
  /** Signs in with it; without one the sign-in is what is seen. */
  key?: string;
  /** The part of the address from `#`. */
  hash?: string;
  /** Runs in the page before its own scripts. */
  initScript?: string;
}

/**
 * Opens the page in a browser that knows nothing yet. What the page logs as an error, a violation of its content security
 * policy for one, fails the test at close().
 */
export async function openPage(
  browser: Browser,
  gateway: { url: string },
  { key, hash = '', initScript, ...options }: OpenOptions = {},
): Promise<{ tab: Tab; close: () => Promise<void>; errors: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  if (initScript !== undefined) await context.addInitScript(initScript);
  const errors: string[] = [];
  const tab = await context.newPage();
  tab.on('pageerror', (error) => errors.push(String(error)));
  tab.on('console', (message) => {
    // Chromium logs each answer that is an error, also those that are awaited.
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) errors.push(message.text());
  });
  if (key !== undefined) {
    await context.addCookies([
      { name: 'infer_session', value: key, url: gateway.url, httpOnly: true, sameSite: 'Strict' },
    ]);
  }
  await tab.goto(`${gateway.url}/${hash}`);
  return {
    tab,
    errors,
    close: async () => {
      await context.close();
      if (errors.length > 0) throw new Error(`The page logged errors:\n${errors.join('\n')}`);
    },
  };
}

/** Answers a chat with words, one after the other. */
export function chatChunk(content: string, finishReason: string | null = null): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finishReason }] })}\n\n`;
}
