/** Replaying requests from a process of its own, which the watching does not slow down. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Sending, Sent } from './sender.ts';

/** Returns what became of each request, in their order, once all have ended. Rejects where the process died. */
export async function replay(sending: Sending): Promise<Sent[]> {
  const child = fork(join(import.meta.dirname, 'sender.ts'), { execArgv: [] });
  return await new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as unknown as Sent[]));
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`The sender ended with ${signal ?? code} too early.`)));
    child.send(sending);
  });
}
