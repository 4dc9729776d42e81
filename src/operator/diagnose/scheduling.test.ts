import { expect, test } from '@jest/globals';
import type { Pod } from '../../api/kubernetes.ts';
import type { ReplicaContext } from './context.ts';
import { unscheduled } from './scheduling.ts';

const gpu: ReplicaContext = {
  namespace: 'team-a',
  deploymentName: 'infer-chat',
  profileName: 'gpu.a100',
  accelerator: '1 nvidia.com/gpu',
  startupTimeoutSeconds: 600,
};
const { accelerator: _none, ...cpu } = gpu;

function waiting(message: string): Pod {
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message };
  return { metadata: { name: 'p' }, spec: {}, status: { phase: 'Pending', conditions: [condition] } };
}

const FULL = 'preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.';
const HOPELESS = 'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
const SELECTOR = "node(s) didn't match Pod's node affinity/selector";

const rows: [sentence: string, message: string, context: ReplicaContext, reason: string, says: string][] = [
  [
    'every GPU is taken',
    `0/2 nodes are available: 2 Insufficient nvidia.com/gpu. ${FULL}`,
    gpu,
    'WaitingForGPU',
    'No node has 1 nvidia.com/gpu free for profile gpu.a100: Insufficient nvidia.com/gpu. Free a GPU, add a node, or lower minReplicas.',
  ],
  [
    'the nodes that suit are full, and others do not suit',
    `0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 ${SELECTOR}. preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.`,
    gpu,
    'WaitingForGPU',
    'Check the profile against the labels and taints of the nodes, or free such a node.',
  ],
  [
    'no node has the label',
    `0/2 nodes are available: 2 ${SELECTOR}. ${HOPELESS}`,
    gpu,
    'NoMatchingNode',
    `No node matches profile gpu.a100: ${SELECTOR}. Check nodeSelector and tolerations of the profile against the labels and taints of the nodes, or add such a node.`,
  ],
  [
    'every node has a taint that nothing tolerates',
    `0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: batch}. ${HOPELESS}`,
    gpu,
    'NoMatchingNode',
    'No node matches profile gpu.a100: node(s) had untolerated taint {dedicated: batch}. Check nodeSelector and tolerations',
  ],
  ['there is no node', 'no nodes available to schedule pods', gpu, 'NoMatchingNode', 'add such a node'],
  [
    'no node is as large, or none announces GPUs',
    `0/2 nodes are available: 2 Insufficient nvidia.com/gpu. ${HOPELESS}`,
    gpu,
    'NoMatchingNode',
    'No node is large enough for profile gpu.a100, which takes 1 nvidia.com/gpu: Insufficient nvidia.com/gpu. Check the device plugin of the nodes, accelerator and resources.requests of the profile, or add such a node.',
  ],
  [
    'a cordoned node may be back',
    `0/2 nodes are available: 1 node(s) were unschedulable, 1 ${SELECTOR}. ${HOPELESS}`,
    gpu,
    'WaitingForGPU',
    'A node may be back soon: see kubectl get nodes',
  ],
  [
    'a node that is not ready may be back',
    `0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }. ${HOPELESS}`,
    gpu,
    'WaitingForGPU',
    'A node may be back soon',
  ],
  [
    'a CPU profile does not speak of GPUs',
    `0/1 nodes are available: 1 Insufficient cpu. ${FULL}`,
    cpu,
    'Unschedulable',
    'No node can take a replica of profile gpu.a100: Insufficient cpu. Free capacity or change the profile.',
  ],
  [
    'a CPU profile that asks for too much',
    `0/1 nodes are available: 1 Insufficient memory. ${HOPELESS}`,
    cpu,
    'NoMatchingNode',
    'No node is large enough for profile gpu.a100: Insufficient memory. Check resources.requests of the profile, or add such a node.',
  ],
  [
    'a claim that is missing',
    `0/1 nodes are available: persistentvolumeclaim "weights" not found. preemption: none`,
    gpu,
    'Unschedulable',
    'persistentvolumeclaim "weights" not found. Create the claim in namespace team-a',
  ],
  [
    'a claim without a volume',
    '0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: none',
    gpu,
    'Unschedulable',
    'The claim waits for a volume: see kubectl -n team-a get pvc',
  ],
  [
    'a volume on another node is not taken for the reason where a GPU is missing',
    `0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had volume node affinity conflict. ${FULL}`,
    gpu,
    'WaitingForGPU',
    'Insufficient nvidia.com/gpu, node(s) had volume node affinity conflict',
  ],
];

test.each(rows)('%s', (_sentence, message, context, reason, says) => {
  const state = unscheduled(waiting(message), context);
  expect(state).toMatchObject({ phase: 'starting', problem: { reason, message: expect.stringContaining(says) } });
});

test.each([
  '0/1 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint {a: b}. preemption: 0/1',
  '0/5 nodes are available: 2 node(s) had untolerated taint {a: b}, 3 Insufficient nvidia.com/gpu. preemption: 0/5',
  '0/9 nodes are available: 1 node(s) had untolerated taint {a: b}, 8 Insufficient nvidia.com/gpu.',
])('what the scheduler says is told the same for any number of nodes: %s', (message) => {
  expect(unscheduled(waiting(message), gpu)?.problem?.message).toContain(
    'for profile gpu.a100: Insufficient nvidia.com/gpu, node(s) had untolerated taint {a: b}. Check the profile',
  );
});

test('one with a node is not waiting for one', () => {
  const placed = { metadata: { name: 'p' }, status: { conditions: [{ type: 'PodScheduled', status: 'True' }] } };
  expect(unscheduled(placed, gpu)).toBeUndefined();
});
