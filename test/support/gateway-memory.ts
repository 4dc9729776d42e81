/**
 * A gateway as a process of its own, for measurements of its memory: `node gateway-memory.ts ORIGIN`, of an engine and a
 * batch process in one, prints its port, and a line of JSON with its memory in bytes for each line that it reads.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Agent } from 'undici';
import { FakeDeployment, startGateway } from './gateway.ts';

const [, , origin = ''] = process.argv;
const batch = { dispatcher: new Agent(), origin };
const gateway = await startGateway([new FakeDeployment('tiny', [origin])], {}, { batch });
console.log(new URL(gateway.url).port);
for await (const _ of createInterface({ input: process.stdin })) {
  // Buffers are freed by finalizers, which run after the collection that found them.
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc?.();
    await delay(50);
  }
  const { rss, external, arrayBuffers, heapUsed } = process.memoryUsage();
  console.log(JSON.stringify({ rss, external, arrayBuffers, heapUsed }));
}
await gateway.close();
