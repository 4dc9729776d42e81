/** What people do with the page, in Chromium. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Browser, Page as Tab } from 'playwright-core';
import { eventually } from '../support/eventually.ts';
import { chatChunk, openPage, startBrowser, startStandIn, type OpenOptions } from './browser.ts';
import { COST, detail, failing, history, live, starting, summaryOf } from './deployments.ts';
import type { StandIn } from './stand-in.ts';

let browser: Browser;
let standIn: StandIn;
let close: () => Promise<void>;

beforeAll(async () => {
  [browser, standIn] = await Promise.all([startBrowser(), startStandIn()]);
});

beforeEach(() => {
  standIn.reset();
  standIn.set(detail('qwen3-8b', { cost: COST, live: live(Date.now() / 1000, 0.5) }), failing('gemma-27b'));
});

afterEach(async () => {
  await close?.();
});

afterAll(async () => {
  await browser?.close();
  await standIn?.stop();
});

async function open(options: OpenOptions = {}): Promise<Tab> {
  const page = await openPage(browser, standIn, options);
  ({ close } = page);
  return page.tab;
}

async function openDetail(id = 'qwen3-8b', options: OpenOptions = {}): Promise<Tab> {
  const tab = await open({ key: 'sk-admin', hash: `#/deployments/${encodeURIComponent(id)}`, ...options });
  await tab.getByRole('heading', { name: 'Conditions' }).waitFor();
  return tab;
}

function row(tab: Tab, id: string) {
  return tab.getByRole('row').filter({ has: tab.getByRole('link', { name: id, exact: true }) });
}

describe('sign-in', () => {
  test('a wrong key says what to do, a right one leads to the list, and signing out back', async () => {
    const tab = await open();
    const field = tab.getByLabel('API key');
    await field.fill('sk-wrong');
    await field.press('Enter');
    expect(await tab.getByRole('alert').textContent()).toMatch(/not valid here.*infer keys create/);
    expect(await field.evaluate('document.activeElement.id')).toBe('key');
    await field.fill(' sk-admin ');
    await tab.getByRole('button', { name: 'Sign in' }).click();
    await tab.getByRole('heading', { name: 'Active models' }).waitFor();
    // Nowhere in what scripts can read.
    const readable =
      'JSON.stringify([document.cookie, localStorage, sessionStorage, document.documentElement.outerHTML])';
    expect(await tab.evaluate(readable)).not.toContain('sk-admin');
    await tab.reload();
    await row(tab, 'qwen3-8b').waitFor();
    await tab.getByRole('button', { name: 'Sign out' }).click();
    await tab.getByLabel('API key').waitFor();
    await tab.reload();
    await tab.getByLabel('API key').waitFor();
  });

  test('a key that may not look says which scope it lacks', async () => {
    const tab = await open();
    await tab.getByLabel('API key').fill('sk-inference');
    await tab.getByRole('button', { name: 'Sign in' }).click();
    expect(await tab.getByRole('alert').textContent()).toContain('lacks the scope "view"');
  });

  test('a key that is revoked meanwhile leads back, with a word why', async () => {
    const tab = await open({ key: 'sk-view' });
    await row(tab, 'qwen3-8b').waitFor();
    standIn.revoked.add('sk-view');
    standIn.cut();
    await tab.getByText('Your session has ended').waitFor();
  });
});

describe('list', () => {
  test('says state, reason, replicas, load against the target, and cost', async () => {
    const tab = await open({ key: 'sk-admin' });
    const cells = row(tab, 'qwen3-8b').getByRole('cell');
    await cells.first().waitFor();
    const texts = await cells.allInnerTexts();
    expect(texts.map((text) => text.replaceAll(/\s+/g, ' ').trim())).toEqual([
      'Serving gpu.a100',
      '2/2 1–4',
      '12',
      '3.6 s 5 s',
      expect.stringContaining('Steady'),
      '$6.40',
    ]);
    expect(await row(tab, 'gemma-27b').innerText()).toMatch(/Not serving ModelGated[\s\S]*accept its licence/);
    await eventually(async () => expect(await tab.title()).toBe('Active models – Infer'));
  });

  test('follows changes, new ones and deletions', async () => {
    const tab = await open({ key: 'sk-admin' });
    await row(tab, 'qwen3-8b').waitFor();
    standIn.set(detail('qwen3-8b', { live: live(Date.now() / 1000, 1) }), starting('llama-70b'));
    await row(tab, 'qwen3-8b').getByText('5.7 s').waitFor();
    expect(await row(tab, 'qwen3-8b').innerText()).toContain('over target');
    expect(await row(tab, 'llama-70b').innerText()).toContain('Starting');
    standIn.remove('gemma-27b');
    await row(tab, 'gemma-27b').waitFor({ state: 'detached' });
  });

  test('a filter and an order', async () => {
    const tab = await open({ key: 'sk-admin' });
    const names = async (): Promise<string[]> => await tab.getByRole('rowheader').getByRole('link').allInnerTexts();
    await row(tab, 'qwen3-8b').waitFor();
    // What needs a person comes first.
    expect(await names()).toEqual(['gemma-27b', 'qwen3-8b']);
    await tab.getByRole('button', { name: 'Requests/s' }).click();
    expect(await names()).toEqual(['qwen3-8b', 'gemma-27b']);
    await tab.getByLabel('Filter').fill('gated');
    await row(tab, 'qwen3-8b').waitFor({ state: 'detached' });
    expect(await names()).toEqual(['gemma-27b']);
    await tab.getByLabel('Filter').fill('zebra');
    await tab.getByText('Nothing here matches “zebra”.').waitFor();
  });

  test('without deployments it says how to get one', async () => {
    standIn.reset();
    const tab = await open({ key: 'sk-view' });
    await tab.getByText('infer deploy').waitFor();
  });
});

describe('detail', () => {
  test('figures and charts follow a load that changes', async () => {
    standIn.history.set('qwen3-8b', history());
    const tab = await openDetail();
    await tab.locator('.uplot canvas').first().waitFor();
    expect(await tab.locator('.uplot').count()).toBe(5);
    const chart = tab.getByRole('img', { name: /^Requests per second/ });
    for (const load of [0.1, 1]) {
      const now = Date.now() / 1000;
      standIn.set(detail('qwen3-8b', { live: live(now, load) }));
      standIn.sample('qwen3-8b', live(now + load, load));
      const rate = String(4 + 16 * load);
      await eventually(async () => expect(await chart.getAttribute('aria-label')).toContain(`${rate} now`));
      await tab.locator('.figures').getByText(rate, { exact: true }).waitFor();
    }
    await tab.getByText('over the target of 5 s').waitFor();
    expect(await tab.evaluate(DRAWN)).toBe(true);
    await tab.getByText('As a table').first().click();
    const rows = tab.getByRole('region', { name: 'Requests per second, each minute' }).getByRole('row');
    await eventually(async () => expect(await rows.count()).toBeGreaterThan(14));
  });

  test('a failure says what to do, and its end is seen', async () => {
    const tab = await openDetail('gemma-27b');
    expect(await tab.locator('.lead').innerText()).toMatch(/Not serving\s+ModelGated .*accept its licence/s);
    expect(await tab.getByRole('row', { name: /gemma-27b-5d4b-x/ }).innerText()).toContain('Failed');
    standIn.set(starting('gemma-27b'));
    await tab.locator('.lead').getByText('Starting').waitFor();
    standIn.set(detail('gemma-27b'));
    await tab.locator('.lead').getByText('Serving').first().waitFor();
  });

  test('one that is deleted while it is looked at stays to be read', async () => {
    const tab = await openDetail();
    standIn.remove('qwen3-8b');
    await tab.getByText('This deployment was deleted.').waitFor();
    await tab.getByRole('heading', { name: 'Replicas', exact: true }).waitFor();
  });

  test('one that does not exist leads back', async () => {
    const tab = await open({ key: 'sk-admin', hash: '#/deployments/nothing' });
    await tab.getByText('does not exist').waitFor();
    await tab.getByRole('link', { name: 'See what there is' }).click();
    await row(tab, 'qwen3-8b').waitFor();
  });

  test('snippets have this address and this id', async () => {
    const tab = await openDetail();
    const panel = tab.getByRole('tabpanel');
    for (const language of ['curl', 'Python', 'Node']) {
      await tab.getByRole('tab', { name: language }).click();
      const text = await panel.innerText();
      expect(text).toContain(`${standIn.url}/v1`);
      expect(text).toContain('"qwen3-8b"');
      expect(text).toContain('INFER_API_KEY');
    }
  });

  test('names and messages are text, whatever is in them', async () => {
    const hostile = `<img src=x onerror="document.title='taken'">"'&\u202e`;
    const evil = { reason: hostile, message: hostile };
    standIn.set(
      detail(hostile, {
        ...evil,
        model: hostile,
        aliases: [hostile],
        adapters: [hostile],
        scaling: { ...detail('x').scaling, ...evil, limited_by: hostile },
        conditions: [{ type: hostile, status: hostile, ...evil, since: null }],
        recent: [{ time: 1, from: 0, to: 1, ...evil }],
      }),
    );
    standIn.chat = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`${chatChunk(hostile, 'stop')}data: [DONE]\n\n`);
    };
    const tab = await open({ key: 'sk-admin' });
    await tab.getByRole('link', { name: hostile, exact: true }).click();
    await tab.getByLabel('Message').fill('Hello');
    await tab.keyboard.press('Enter');
    await tab.getByText('Answered.').waitFor();
    expect(await tab.locator('.log').innerText()).toContain(hostile);
    expect(await tab.locator('img').count()).toBe(0);
    expect(await tab.title()).toBe(`${hostile} – Infer`);
    expect(await tab.getByRole('tabpanel').innerText()).toContain('<img src=x');
  });
});

/** Whether the first chart holds anything but nothing. */
const DRAWN = `(() => {
  const canvas = document.querySelector('.uplot canvas');
  return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
})()`;

async function say(tab: Tab, text: string): Promise<void> {
  await tab.getByLabel('Message').fill(text);
  await tab.getByRole('button', { name: 'Send', exact: true }).click();
}

describe('chat', () => {
  test('streams, stops, and goes on with what was said', async () => {
    let isCut = false;
    standIn.chat = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatChunk('One, '));
      response.write(chatChunk('two, '));
      response.once('close', () => (isCut = true));
    };
    const tab = await openDetail();
    await say(tab, 'Count.');
    await tab.getByText('One, two,').waitFor();
    await tab.getByRole('button', { name: 'Stop' }).click();
    await tab.getByText('Stopped.').waitFor();
    await eventually(() => expect(isCut).toBe(true));
    standIn.chat = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`${chatChunk('three.', 'stop')}data: [DONE]\n\n`);
    };
    await say(tab, 'Go on.');
    await tab.getByText('three.').waitFor();
    expect(standIn.asked.at(-1)).toEqual({
      model: 'qwen3-8b',
      stream: true,
      messages: [
        { role: 'user', content: 'Count.' },
        { role: 'assistant', content: 'One, two, ' },
        { role: 'user', content: 'Go on.' },
      ],
    });
    // Also after a look at something else.
    await tab.getByRole('link', { name: '← Active models' }).click();
    await tab.getByRole('link', { name: 'qwen3-8b' }).click();
    await tab.getByText('three.').waitFor();
    await tab.getByRole('button', { name: 'Clear' }).click();
    await tab.getByText('Nothing said yet.').waitFor();
  });

  test('an error is shown with its sentence, and the message can be sent again', async () => {
    const message = 'No replica of `qwen3-8b` became ready within 50 s. Try again in about 84 s.';
    standIn.chat = (response) => {
      response.writeHead(503, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message, type: 'server_error', param: null, code: 'model_not_ready' } }));
    };
    const tab = await openDetail();
    await say(tab, 'Hello');
    await tab.getByRole('alert').getByText(message).waitFor();
    standIn.chat = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chatChunk('Hel'));
      response.end('data: {"error":{"message":"The engine stopped in the middle."}}\n\n');
    };
    await tab.getByRole('button', { name: 'Send again' }).click();
    await tab.getByRole('alert').getByText('The engine stopped in the middle.').waitFor();
    expect(standIn.asked.map(({ messages }) => messages)).toEqual([
      [{ role: 'user', content: 'Hello' }],
      [{ role: 'user', content: 'Hello' }],
    ]);
  });

  test('a key that may only look is told so', async () => {
    const tab = await openDetail('qwen3-8b', { key: 'sk-view' });
    await tab.getByText('This key may look but not chat').waitFor();
    expect(await tab.getByLabel('Message').count()).toBe(0);
  });
});

test('a gateway that goes and comes back: stale, reconnecting, live', async () => {
  const tab = await open({ key: 'sk-admin' });
  await row(tab, 'qwen3-8b').waitFor();
  await standIn.stop();
  await tab.getByText(/Reconnecting. Shown as it was at \d\d:\d\d:\d\d/).waitFor();
  expect(await tab.locator('main.stale').count()).toBe(1);
  expect(await row(tab, 'qwen3-8b').count()).toBe(1);
  standIn.deployments.delete('gemma-27b');
  await standIn.start();
  await tab.getByText('Live').waitFor();
  await row(tab, 'gemma-27b').waitFor({ state: 'detached' });
  expect(await tab.locator('main.stale').count()).toBe(0);
});

test('by keyboard alone: sign in, open one, chat, and back', async () => {
  standIn.chat = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`${chatChunk('Hello you.', 'stop')}data: [DONE]\n\n`);
  };
  const tab = await open();
  const focused = async (): Promise<string> => await tab.evaluate<string>(FOCUSED);
  const tabTo = async (what: string): Promise<void> => {
    for (let presses = 0; presses < 40; presses++) {
      if ((await focused()) === what) return;
      await tab.keyboard.press('Tab');
    }
    throw new Error(`Tab does not lead to ${what}, last to ${await focused()}.`);
  };
  // What is drawn gets the focus some frames later.
  const expectFocused = async (what: string): Promise<void> => {
    await eventually(async () => expect(await focused()).toBe(what));
  };
  await expectFocused('API key');
  await tab.keyboard.type('sk-admin');
  await tab.keyboard.press('Enter');
  await row(tab, 'qwen3-8b').waitFor();
  await expectFocused('Active models');
  await tabTo('qwen3-8b');
  expect(await tab.evaluate('getComputedStyle(document.activeElement).outlineStyle')).not.toBe('none');
  await tab.keyboard.press('Enter');
  await tab.getByRole('heading', { name: 'Conditions' }).waitFor();
  // The heading of the new screen is read first.
  await expectFocused('qwen3-8b');
  await tabTo('Message');
  await tab.keyboard.type('Hello');
  await tab.keyboard.press('Enter');
  await tab.getByText('Hello you.').waitFor();
  await tabTo('curl');
  await tab.keyboard.press('ArrowRight');
  expect(await focused()).toBe('Python');
  expect(await tab.getByRole('tabpanel').innerText()).toContain('from openai import OpenAI');
  await tab.goBack();
  await row(tab, 'qwen3-8b').waitFor();
  await expectFocused('Active models');
});

/** The text of what has the focus, or its label. */
const FOCUSED = `document.activeElement === document.body
  ? 'nothing'
  : (document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()`;

test('a row keeps its place and its focus while it has it', async () => {
  const tab = await open({ key: 'sk-admin' });
  await tab.getByRole('link', { name: 'qwen3-8b' }).focus();
  standIn.set(detail('gemma-27b'), { ...failing('qwen3-8b') });
  await row(tab, 'qwen3-8b').getByText('Not serving').waitFor();
  expect(await tab.evaluate(FOCUSED)).toBe('qwen3-8b');
  expect(await tab.getByRole('rowheader').getByRole('link').allInnerTexts()).toEqual(['gemma-27b', 'qwen3-8b']);
});

test('nothing moves for those who want that', async () => {
  const tab = await openDetail('qwen3-8b', { reducedMotion: 'reduce' });
  const moving = `[...document.querySelectorAll('*')].filter((element) => {
    const { animationName, transitionDuration } = getComputedStyle(element);
    return animationName !== 'none' || transitionDuration !== '0s';
  }).length`;
  expect(await tab.evaluate(moving)).toBe(0);
});

test('ticks are not spoken', async () => {
  const tab = await open({ key: 'sk-admin' });
  await row(tab, 'qwen3-8b').waitFor();
  const spoken = `globalThis.spoken = [];
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const element = target.nodeType === 1 ? target : target.parentElement;
        if (element?.closest('[aria-live], [role=status], [role=alert], [role=log]')) spoken.push(element.textContent);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true })`;
  await tab.evaluate(spoken);
  standIn.tell('changed', { data: [summaryOf(detail('qwen3-8b', { live: live(1, 1) }))] });
  await row(tab, 'qwen3-8b').getByText('5.7 s').waitFor();
  expect(await tab.evaluate('spoken')).toEqual([]);
});
