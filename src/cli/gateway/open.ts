/** `infer open`: the web page in the user's browser. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Context } from '../context.ts';
import { openAddress, type GatewayOptions } from './access.ts';
import { pageUrlOf } from './base-url.ts';

const OPENERS: Partial<Record<NodeJS.Platform, readonly [string, ...string[]]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
};

/** Prints the page's URL and opens it; where that goes through a forwarded port it stays until Ctrl-C. */
export async function openPage(
  context: Context,
  id: string | undefined,
  options: GatewayOptions & { browser: boolean },
): Promise<void> {
  const address = await openAddress(context, options);
  try {
    const url = pageUrlOf(address.baseUrl, id);
    context.print(url);
    if (options.browser && !(await openInBrowser(url)))
      context.note('No browser could be opened: open the URL in yours.');
    context.note('Sign in with an API key of the scope view; infer keys create NAME --scope view makes one.');
    if (!address.forwarded) return;
    context.note('It is reached by a port of this machine that is forwarded to the cluster until Ctrl-C.');
    if (!context.signal.aborted) await once(context.signal, 'abort');
  } finally {
    await address.close();
  }
}

/** Returns whether something was started that opens it. */
async function openInBrowser(url: string): Promise<boolean> {
  const [command, ...args] = OPENERS[process.platform] ?? ['xdg-open'];
  const child = spawn(command, [...args, url], { stdio: 'ignore', detached: true });
  try {
    await once(child, 'spawn');
    child.unref();
    return true;
  } catch {
    return false;
  }
}
