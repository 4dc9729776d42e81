import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import {
  cniConfiguration,
  containerdConfiguration,
  kubeProxyArguments,
  kubeletConfiguration,
} from './node-configuration.ts';
import { assertClusterName, layoutOf } from './state.ts';

const layout = layoutOf({ name: 'demo', index: 3, nodes: 2, gpus: 8 });
const [first, second] = layout.localNodes;
if (first === undefined || second === undefined) throw new Error('the layout lacks a node');

describe('configuration of a node', () => {
  test('two nodes share no path, address, interface or cgroup', () => {
    const shared = Object.entries(first).filter(([key, value]) => value === second[key as keyof typeof second]);
    expect(shared).toEqual([]);
    expect(second).toMatchObject({ name: 'demo-node-2', address: '10.250.3.12', podRange: '10.252.13.0/24' });
  });

  test('pods get addresses of their own node', () => {
    const { plugins } = JSON.parse(cniConfiguration(second)) as { plugins: { ipam?: object }[] };
    expect(plugins[0]?.ipam).toMatchObject({ ranges: [[{ subnet: '10.252.13.0/24' }]] });
  });

  test('containerd keeps everything in the folder of the node and needs no registry for its pause image', () => {
    const text = containerdConfiguration(first);
    expect(text).toContain(`root = "${first.directory}/containerd"`);
    expect(text).toContain('sandbox_image = "localhost/pause:dev"');
    expect(text).toContain('restrict_oom_score_adj = true');
  });

  test('kubelet uses the cgroup of the node, lets nobody in without a certificate, and never collects images', () => {
    const keys = { authorityFile: 'ca.crt', certificateFile: 'a.crt', keyFile: 'a.key' };
    expect(parse(kubeletConfiguration(layout, first, keys))).toMatchObject({
      cgroupRoot: '/infer/demo/node-1',
      authentication: { anonymous: { enabled: false }, x509: { clientCAFile: 'ca.crt' } },
      clusterDNS: ['10.251.3.10'],
      imageGCHighThresholdPercent: 100,
      failCgroupV1: false,
    });
  });

  test('kube-proxy masquerades what comes from outside the pods of all nodes', () => {
    expect(kubeProxyArguments(layout, second, '/k')).toContain('--cluster-cidr=10.252.12.0/22');
  });
});

describe('names of clusters', () => {
  test.each(['infer', 'a', 't-cluster', 'a2345678901234567890'])('%s is one', (name) => {
    expect(() => assertClusterName(name)).not.toThrow();
  });

  test.each(['', '-a', 'a-', 'A', '../a', 'a/b', '1a', 'a23456789012345678901'])('%p is none', (name) => {
    expect(() => assertClusterName(name)).toThrow('lower-case letters');
  });
});
