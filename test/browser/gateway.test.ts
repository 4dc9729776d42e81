/** The page at a real gateway: its sessions, its events, its errors. What is hard to make there is at the stand-in. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { InferenceDeployment } from '../../src/api/generated/inference-deployment.ts';
import { eventually } from '../support/eventually.ts';
import { FakeDeployment, startEngine, type FakeEngine } from '../support/gateway.ts';
import { inferenceDeployment } from '../support/resources.ts';
import { ViewBed, type ViewGateway } from '../support/view-bed.ts';
import { chatChunk, currentPage, openPage, startBrowser } from './browser.ts';

let browser: Browser;
let bed: ViewBed;
let gateway: ViewGateway;
let engine: FakeEngine;

beforeAll(async () => {
  browser = await startBrowser();
  bed = new ViewBed();
  engine = await startEngine((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`${chatChunk('Hello ')}${chatChunk('you.', 'stop')}data: [DONE]\n\n`);
  });
  const served = new FakeDeployment('qwen', [engine.origin]);
  gateway = await bed.start({}, [served], undefined, await currentPage());
});

afterAll(async () => {
  await browser?.close();
  await bed?.close();
  engine?.close();
});

function deployment(ready: number): InferenceDeployment {
  const pods = [{ name: 'qwen-1', uid: 'uid-pod', readiness: 'Ready', node: 'gpu-1' }];
  const condition = {
    type: 'Ready',
    status: ready > 0 ? 'True' : 'False',
    reason: ready > 0 ? 'Serving' : 'WaitingForGPU',
    message: ready > 0 ? 'Every replica that is wanted serves.' : 'No node has a free GPU: add one, or stop another.',
    lastTransitionTime: '2026-11-22T10:00:00Z',
  } as const;
  return {
    metadata: { name: 'qwen', namespace: 'team-a', uid: 'uid-qwen', creationTimestamp: '2026-11-22T10:00:00Z' },
    spec: inferenceDeployment({}).spec,
    status: {
      replicas: { ready, desired: 1, pods: ready > 0 ? pods : [] },
      conditions: [condition],
      cost: { currency: 'USD', perHour: '7.36' },
    },
  };
}

/** The leader tells of the load. */
function tell(requestsPerSecond: number): void {
  const sample = {
    timeMs: Date.now(),
    requestsPerSecond,
    inFlight: 3,
    queued: 0,
    replicasReady: 1,
    replicasDesired: 1,
  };
  const deployments = [{ uid: 'uid-qwen', sample, replicas: [] }];
  gateway.live.heard({ type: 'heartbeat', live: { watch: gateway.live.watch.version, more: false, deployments } });
}

test('sign in, watch, chat, and the end of the key', async () => {
  const key = bed.addKey('web', { scopes: ['view', 'inference', 'admin'] });
  bed.inferenceDeployments.put(deployment(0));
  const { tab, close } = await openPage(browser, gateway);
  await tab.getByLabel('API key').fill(`${key}x`);
  await tab.keyboard.press('Enter');
  await tab.getByRole('alert').getByText('This key is not valid here.').waitFor();
  await tab.getByLabel('API key').fill(key);
  await tab.keyboard.press('Enter');
  await tab.getByText('No node has a free GPU').waitFor();
  bed.inferenceDeployments.put(deployment(1));
  await tab.getByRole('cell').getByText('Serving').first().waitFor();
  await tab.getByText('$7.36').waitFor();
  await tab.getByRole('link', { name: 'qwen', exact: true }).click();
  await tab
    .getByRole('row', { name: /qwen-1/ })
    .getByText('gpu-1')
    .waitFor();
  await eventually(async () => {
    tell(42);
    expect(await tab.locator('.figures').innerText()).toContain('42');
    expect(await tab.getByRole('img', { name: /^Requests per second/ }).getAttribute('aria-label')).toContain('42 now');
  });
  await tab.getByLabel('Message').fill('Hello');
  await tab.keyboard.press('Enter');
  await tab.getByText('Hello you.').waitFor();
  // As everything that goes to an engine: with no word of the cookie.
  expect(engine.requests.at(-1)?.head.headers['cookie']).toBeUndefined();
  bed.changeKey('web', { disabled: true });
  await tab.getByText('Your session has ended').waitFor();
  await close();
});
