import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { bar, megabytes, startProgress } from './progress.ts';

/** What is written of 100 steps. */
async function written(isTTY: boolean, stepMs: number): Promise<string> {
  const stderr = Object.assign(new PassThrough(), { isTTY });
  let ms = 0;
  const progress = startProgress({ stderr, now: () => new Date(ms) });
  for (let step = 0; step <= 100; step += 1, ms += stepMs) progress.show(`${step} of 100`, step / 100);
  progress.end();
  stderr.end();
  return await text(stderr);
}

test('a terminal has one line, redrawn ten times a second at most', async () => {
  const states = (await written(true, 50)).split('\r');
  expect(states).toHaveLength(52);
  expect(states.at(-1)).toBe(`\u001B[K${bar(1)} 100 %  100 of 100\n`);
});

test('a log has a line now and then and the last, and none of what is over soon', async () => {
  expect(await written(false, 50)).toBe('');
  expect(await written(false, 250)).toBe(' 40 %  40 of 100\n 80 %  80 of 100\n100 %  100 of 100\n');
});

test('bars and bytes', () => {
  expect(bar(0.5)).toBe('[############............]');
  expect([0, 900, 999_001, 12_345_678].map(megabytes)).toEqual(['0 kB', '1 kB', '1000 kB', '12.3 MB']);
});
