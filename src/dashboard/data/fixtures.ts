/** A deployment for unit tests of the page. */
import type { Live, Summary } from '../../gateway/view/shapes.ts';

export function summary(id: string, more: Partial<Summary> = {}): Summary {
  return {
    object: 'deployment',
    id,
    namespace: 'default',
    name: id,
    model: 'Qwen/Qwen3-8B',
    hardware_profile: 'gpu.a100',
    created: 1_700_000_000,
    ready: 'True',
    reason: 'Serving',
    message: 'Every replica that is wanted serves.',
    replicas: { desired: 1, ready: 1, starting: 0, draining: 0, failed: 0, min: 1, max: 2 },
    scaling: { reason: 'Steady', message: '', limited_by: null, target_rps: 10, target_latency_p95_ms: 5000 },
    live: null,
    cost: null,
    ...more,
  };
}

export function sample(time: number, more: Partial<Live> = {}): Live {
  return {
    time,
    requests_per_second: 1,
    latency_p50_ms: 100,
    latency_p95_ms: 200,
    ttft_p95_ms: 50,
    in_flight: 1,
    queued: 0,
    kv_cache_usage: 0.1,
    replicas_ready: 1,
    replicas_desired: 1,
    ...more,
  };
}
