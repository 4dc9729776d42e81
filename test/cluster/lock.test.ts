import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withLock } from './lock.ts';

function ignore(): void {}

describe('a lock', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'infer-lock-'));
  });
  afterAll(async () => await rm(directory, { recursive: true }));

  test('lets one in at a time, in whatever order, and is gone afterwards', async () => {
    const file = join(directory, 'one');
    let inside = 0;
    let most = 0;
    const body = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      // Others would come in here if they could.
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    };
    await Promise.all(Array.from({ length: 8 }, async () => await withLock(file, ignore, body)));
    expect(most).toBe(1);
    expect(existsSync(file)).toBe(false);
  }, 20_000);

  test('keeps a newcomer out while one is in who had waited for a holder that removed the file', async () => {
    const file = join(directory, 'newcomer');
    const order: string[] = [];
    const waits = Promise.withResolvers<void>();
    let second: Promise<void> = Promise.resolve();
    let third: Promise<unknown> = Promise.resolve();
    await withLock(file, ignore, async () => {
      second = withLock(file, waits.resolve, async () => {
        const thirdWaits = Promise.withResolvers<void>();
        third = withLock(file, thirdWaits.resolve, async () => await Promise.resolve(order.push('third')));
        await Promise.race([thirdWaits.promise, third]);
        order.push('second');
      });
      await Promise.race([waits.promise, second]);
    });
    await second;
    await third;
    expect(order).toEqual(['second', 'third']);
  }, 20_000);

  test('is free again when its holder throws', async () => {
    const file = join(directory, 'throws');
    const failing = withLock(file, ignore, async () => await Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await withLock(file, ignore, async () => await Promise.resolve('in'))).toBe('in');
  });

  test('is free again when its holder is killed, and says meanwhile that it is waited for', async () => {
    const file = join(directory, 'killed');
    const code = `const { withLock } = await import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))});
      await withLock(${JSON.stringify(file)}, () => {}, async () => { console.log('held'); await new Promise(() => setInterval(() => {}, 1000)); });`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    let waited = false;
    const second = withLock(
      file,
      () => {
        waited = true;
        holder.kill('SIGKILL');
      },
      async () => await Promise.resolve(),
    );
    await second.finally(() => holder.kill('SIGKILL'));
    expect(waited).toBe(true);
  }, 20_000);
});
