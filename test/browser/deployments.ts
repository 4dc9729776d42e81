/** Deployments as the gateway shows them, for tests of the page. */
import type { Cost, Detail, Live, Summary } from '../../src/gateway/view/shapes.ts';

/** One that serves; `more` is what differs. */
export function detail(id: string, more: Partial<Detail> = {}): Detail {
  const created = Math.floor(Date.now() / 1000) - 3 * 86_400;
  return {
    object: 'deployment',
    id,
    namespace: 'default',
    name: id,
    model: 'Qwen/Qwen3-8B',
    hardware_profile: 'gpu.a100',
    created,
    ready: 'True',
    reason: 'Serving',
    message: 'Every replica that is wanted serves.',
    replicas: { desired: 2, ready: 2, starting: 0, draining: 0, failed: 0, min: 1, max: 4 },
    scaling: {
      reason: 'Steady',
      message: '2 replicas: 12 requests/s, of which a replica serves 9.1 within 5 s, as was learned.',
      limited_by: null,
      target_rps: 10,
      target_latency_p95_ms: 5000,
    },
    live: null,
    cost: null,
    aliases: [],
    adapters: [],
    endpoint: null,
    suspended: false,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'Serving',
        message: 'Every replica that is wanted serves.',
        since: created,
      },
      { type: 'Progressing', status: 'True', reason: 'Done', message: 'The spec is carried out.', since: created },
      {
        type: 'ScalingLimited',
        status: 'False',
        reason: 'WithinBounds',
        message: 'The load needs no more than maxReplicas.',
        since: created,
      },
    ],
    replica_list: [1, 2].map((number) => ({
      name: `${id}-7c9f-${number}`,
      state: 'Ready',
      reason: null,
      since: created,
      node: `gpu-node-${number}`,
      in_flight: 3 * number,
      waiting: 0,
      kv_cache_usage: 0.31 * number,
    })),
    recent: [
      {
        time: created + 7200,
        from: 1,
        to: 2,
        reason: 'RequestRate',
        message: '1 → 2: 12 requests/s, of which a replica serves 9.1 within 5 s, as was learned.',
      },
      {
        time: created + 60,
        from: 2,
        to: 1,
        reason: 'MinReplicas',
        message:
          '2 → 1: 0.2 requests/s, of which a replica serves 10 within 5 s, as targetRps says; held at minReplicas 1.',
      },
    ],
    learned: { requests_per_second: 9.1, load_seconds: 84 },
    ...more,
  };
}

/** One that cannot serve, with the sentence that says what to do. */
export function failing(id: string): Detail {
  const message = `The model google/gemma-3-27b-it is gated and the token in the Secret hf-token may not read it: accept its licence at https://huggingface.co/google/gemma-3-27b-it with that token's account.`;
  const condition = { status: 'False', reason: 'ModelGated', message, since: Math.floor(Date.now() / 1000) - 200 };
  return detail(id, {
    model: 'google/gemma-3-27b-it',
    ready: 'False',
    reason: 'ModelGated',
    message,
    replicas: { desired: 1, ready: 0, starting: 0, draining: 0, failed: 1, min: 1, max: 2 },
    conditions: [
      { type: 'Ready', ...condition },
      { type: 'ModelResolved', ...condition },
    ],
    replica_list: [
      {
        name: `${id}-5d4b-x`,
        state: 'Failed',
        reason: 'ModelGated',
        since: condition.since,
        node: null,
        in_flight: 0,
        waiting: null,
        kv_cache_usage: null,
      },
    ],
    recent: [],
    learned: null,
  });
}

/** One that loads its first replica. */
export function starting(id: string): Detail {
  return detail(id, {
    ready: 'False',
    reason: 'Loading',
    message: 'The engine loads the model.',
    replicas: { desired: 1, ready: 0, starting: 1, draining: 0, failed: 0, min: 1, max: 1 },
  });
}

/** One that its owner stopped. */
export function stopped(id: string): Detail {
  return detail(id, {
    ready: 'False',
    reason: 'Suspended',
    message: 'Stopped by its owner (spec.suspend); start it with: infer start.',
    suspended: true,
    replicas: { desired: 0, ready: 0, starting: 0, draining: 0, failed: 0, min: 1, max: 1 },
    replica_list: [],
    live: null,
  });
}

export const COST: Cost = { currency: 'USD', per_hour: '6.40', per_day: '153.60', per_million_tokens: '0.412' };

/** Figures of one second; `load` from 0 to 1. */
export function live(time: number, load: number, more: Partial<Live> = {}): Live {
  return {
    time,
    requests_per_second: 4 + 16 * load,
    latency_p50_ms: 700 + 900 * load,
    latency_p95_ms: 1500 + 4200 * load,
    ttft_p95_ms: 120 + 300 * load,
    in_flight: Math.round(3 + 30 * load),
    queued: Math.round(Math.max(0, load - 0.7) * 20),
    kv_cache_usage: 0.15 + 0.6 * load,
    replicas_ready: load > 0.5 ? 2 : 1,
    replicas_desired: load > 0.4 ? 2 : 1,
    ...more,
  };
}

/** The last 15 minutes of a load that comes and goes. */
export function history(now = Date.now() / 1000): Live[] {
  return Array.from({ length: 900 }, (_, second) => {
    const load = 0.5 + 0.4 * Math.sin(second / 90) + 0.1 * Math.sin(second / 7);
    return live(now - 900 + second, Math.min(1, Math.max(0, load)));
  });
}

/** The part of a detail that lists hold. */
export function summaryOf(one: Detail): Summary {
  const { object, id, namespace, name, model, hardware_profile, created, ready, reason, message } = one;
  const { replicas, scaling, live, cost } = one;
  return {
    object,
    id,
    namespace,
    name,
    model,
    hardware_profile,
    created,
    ready,
    reason,
    message,
    replicas,
    scaling,
    live,
    cost,
  };
}
