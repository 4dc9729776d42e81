/** Files are as large as they may be, and none is ever held whole. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { tenantHeaders } from '../../../test/support/batch-api.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { FileObject } from './file-object.ts';

const PROCESS = join(import.meta.dirname, '../../../test/support/batch-memory.ts');
const MOST_BYTES = 300 * 1024 * 1024;
const PIECE = Buffer.alloc(1024 * 1024, 'x');

let child: ChildProcess;
let lines: Interface;

beforeAll(() => {
  child = spawn(process.execPath, [PROCESS], { stdio: ['pipe', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('The process has no output.');
  lines = createInterface({ input: child.stdout });
});

afterAll(async () => {
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
});

async function line(): Promise<string> {
  const [text] = (await once(lines, 'line')) as [string];
  return text;
}

async function mostMemory(): Promise<number> {
  child.stdin?.write('\n');
  return Number(await line());
}

const part = (head: string): string => `--B\r\ncontent-disposition: form-data; ${head}\r\n\r\n`;

/** A form with the largest file that is taken. */
async function* largest(): AsyncGenerator<Buffer> {
  yield Buffer.from(`${part('name="purpose"')}batch\r\n${part('name="file"; filename="a.jsonl"')}`);
  for (let sent = 0; sent < DEFAULT_LIMITS.maxBytes; sent += PIECE.length) yield PIECE;
  yield Buffer.from('\r\n--B--\r\n');
}

test('the largest file goes in and out in less memory than twice its size', async () => {
  const url = await line();
  const headers = { ...tenantHeaders(), 'content-type': 'multipart/form-data; boundary=B' };
  const uploaded = await fetch(`${url}/v1/files`, { method: 'POST', headers, body: largest(), duplex: 'half' });
  const { id, bytes } = (await uploaded.json()) as FileObject;
  expect(bytes).toBe(DEFAULT_LIMITS.maxBytes);
  const downloaded = await fetch(`${url}/v1/files/${id}/content`, { headers: tenantHeaders() });
  let read = 0;
  for await (const piece of downloaded.body ?? []) read += (piece as Uint8Array).length;
  expect(read).toBe(bytes);
  expect(await mostMemory()).toBeLessThan(MOST_BYTES);
}, 30_000);
