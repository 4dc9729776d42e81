import { describe, expect, test } from '@jest/globals';
import { MAX_CLUSTERS, MAX_NODES, clusterAddresses, freeIndex, nodeAddresses } from './addresses.ts';

/** The first and last address of a range as numbers. */
function bounds(range: string): [number, number] {
  const [address = '', length = ''] = range.split('/');
  const first = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return [first, first + 2 ** (32 - Number(length)) - 1];
}

const indexes = Array.from({ length: MAX_CLUSTERS }, (_, index) => index);
const ordinals = Array.from({ length: MAX_NODES }, (_, offset) => offset + 1);

describe('addresses of clusters', () => {
  test('no two clusters share an address', () => {
    const ranges = indexes
      .flatMap((index) => {
        const { host, serviceRange, podRange } = clusterAddresses(index);
        return [bounds(`${host.replace(/\.1$/, '.0')}/24`), bounds(serviceRange), bounds(podRange)];
      })
      .sort(([a], [b]) => a - b);
    for (const [position, [first]] of ranges.entries()) {
      if (position > 0) expect(first).toBeGreaterThan(ranges[position - 1]?.[1] ?? Infinity);
    }
    expect(ranges).toHaveLength(MAX_CLUSTERS * 3);
    expect(clusterAddresses(MAX_CLUSTERS - 1).podRange).toBe('10.252.252.0/22');
  });

  test('the pods of nodes share no address and lie in the range of the cluster', () => {
    for (const index of indexes) {
      const [first, last] = bounds(clusterAddresses(index).podRange);
      const nodes = ordinals.map((ordinal) => bounds(nodeAddresses(index, ordinal).podRange));
      expect(nodes.map(([start]) => start)).toEqual(ordinals.map((ordinal) => first + (ordinal - 1) * 256));
      expect(nodes.at(-1)?.[1]).toBe(last);
    }
  });

  test('interface names fit into the 15 characters of the kernel', () => {
    const longest = nodeAddresses(MAX_CLUSTERS - 1, MAX_NODES).hostInterface;
    expect(longest).toBe('infer63-4');
    expect(clusterAddresses(MAX_CLUSTERS - 1).bridge.length).toBeLessThanOrEqual(15);
  });

  test.each([
    ['the first on an unused machine', [], '', '', 0],
    ['the smallest that no cluster has', [0, 2], '', '', 1],
    ['not one whose nodes are routed elsewhere', [], 'default via 192.0.2.1 dev eth0\n10.250.0.0/16 dev tun0', '', 1],
    ['not one whose Services are routed elsewhere', [], '10.251.0.0/24 dev tun0', '', 1],
    ['not one whose pods on a node to come are routed elsewhere', [], '10.252.3.0/24 dev tun0', '', 1],
    ['one although the pods of the next are', [], '10.252.4.0/24 dev tun0', '', 0],
    ['not one whose bridge is left', [], '', 'lo UNKNOWN\ninfer0 UP\ninfer10 UP', 1],
    ['index 1 although 10.250.10.0/24 is routed', [0], '10.250.10.0/24 dev infer10', '', 1],
  ])('gives %s', (_, taken, routes, links, expected) => {
    expect(freeIndex(taken, routes, links)).toBe(expected);
  });

  test('gives none when all are taken', () => {
    expect(freeIndex(indexes, '', '')).toBeUndefined();
  });
});
