/**
 * The API of files and batches as a process of its own, for measurements of its memory: prints its URL, and the most memory
 * that it had so far, in bytes, for each line that it reads.
 */
import { createInterface } from 'node:readline';
import { startBatchApi } from './batch-api.ts';

const api = await startBatchApi();
console.log(api.url);
for await (const _ of createInterface({ input: process.stdin })) console.log(process.resourceUsage().maxRSS * 1024);
await api.close();
