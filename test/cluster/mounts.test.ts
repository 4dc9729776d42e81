import { expect, test } from '@jest/globals';
import { parseMounts } from './mounts.ts';

test('reads mounts with any number of optional fields and with escaped paths', () => {
  const text = [
    '25 30 0:23 / /sys/fs/cgroup/cpu rw,relatime shared:9 master:2 - cgroup cgroup rw,cpu,cpuacct',
    '31 30 0:4 net:[4026532] /var/lib/a\\040b/network rw - nsfs nsfs rw',
    '',
  ].join('\n');
  expect(parseMounts(text)).toEqual([
    { path: '/sys/fs/cgroup/cpu', type: 'cgroup', superOptions: ['rw', 'cpu', 'cpuacct'] },
    { path: '/var/lib/a b/network', type: 'nsfs', superOptions: ['rw'] },
  ]);
});
