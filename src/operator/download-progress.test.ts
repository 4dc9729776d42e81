import { describe, expect, jest, test } from '@jest/globals';
import { replicaPod } from '../../test/support/resources.ts';
import type { Pod } from '../api/kubernetes.ts';
import { downloadedPercent, type LogTail } from './download-progress.ts';

const running = { startedAt: '2026-01-01T00:00:10Z' };
const downloading: Pod = replicaPod(
  {},
  { initContainerStatuses: [{ name: 'download', ready: false, restartCount: 0, state: { running } }] },
);

const unread: LogTail = async () => await Promise.reject(new Error('no'));

describe('downloadedPercent', () => {
  test.each([
    ['Downloading org/model at commit 0e9e: 3 files, 16.1 GB.\n', 0],
    ['Downloading ...\nDownloaded 10 % (1.6 of 16.1 GB).\nDownloaded 30 % (4.9 of 16.1 GB).\n', 30],
    ['Downloaded 100 % (16.1 of 16.1 GB).\n', 100],
    ['Downloaded 999 % (1 of 1 GB).\n', 100],
    ['', 0],
  ])('of a log that ends in %j is %s', async (log, percent) => {
    expect(await downloadedPercent([downloading], async () => await Promise.resolve(log), 40)).toBe(percent);
  });

  test('a log that cannot be read says nothing new', async () => {
    expect(await downloadedPercent([downloading], unread, 40)).toBe(40);
    expect(await downloadedPercent([downloading], unread, undefined)).toBe(0);
  });

  test('where nothing downloads no log is read', async () => {
    const tail = jest.fn<LogTail>();
    expect(await downloadedPercent([replicaPod({ state: { running } })], tail, 40)).toBeUndefined();
    expect(tail).not.toHaveBeenCalled();
  });

  test('the Job that fills a cache is read like a replica', async () => {
    const job = replicaPod(
      {},
      {
        initContainerStatuses: [],
        containerStatuses: [{ name: 'download', ready: false, restartCount: 0, state: { running } }],
      },
    );
    expect(await downloadedPercent([job], async () => await Promise.resolve('Downloaded 20 %'), 10)).toBe(20);
  });
});
