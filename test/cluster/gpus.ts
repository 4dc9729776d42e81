/** Nodes that claim to have GPUs, so that the scheduler and everything above it behave as with real ones. */

/** The product of every simulated GPU. */
export const GPU_PRODUCT = 'NVIDIA-A100-SXM4-80GB';

/** The labels that NVIDIA's GPU feature discovery would set; memory in MiB. Empty for a node without GPUs. Pure. */
export function gpuLabels(count: number): Record<string, string | null> {
  const none = count === 0;
  return {
    'nvidia.com/gpu.present': none ? null : 'true',
    'nvidia.com/gpu.product': none ? null : GPU_PRODUCT,
    'nvidia.com/gpu.count': none ? null : String(count),
    'nvidia.com/gpu.memory': none ? null : '81920',
    'nvidia.com/gpu.family': none ? null : 'ampere',
    'nvidia.com/gpu.compute.major': none ? null : '8',
    'nvidia.com/gpu.compute.minor': none ? null : '0',
  };
}

/** The merge patch of a node's status that gives it GPUs; kubelet keeps what it did not set itself. Pure. */
export function gpuStatusPatch(count: number): object {
  const resources = { 'nvidia.com/gpu': count === 0 ? null : String(count) };
  return { status: { capacity: resources, allocatable: resources } };
}
