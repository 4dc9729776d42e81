/**
 * What the gateway shows of deployments to programs, in snake_case as the rest of its API. Only types: the page imports
 * them, too.
 */

/** A deployment in a list. */
export interface Summary {
  object: 'deployment';
  /** What a request of this key sends as `model`. */
  id: string;
  namespace: string;
  name: string;
  /** The hub id, or `claim:NAME/PATH`. */
  model: string;
  hardware_profile: string;
  /** Unix seconds. */
  created: number;
  /** Of the condition Ready, as `reason` and `message`. */
  ready: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  replicas: ReplicaCounts;
  scaling: Scaling;
  /** Null where no gateway had a request lately, or no operator leads. */
  live: Live | null;
  /** Null for a key without the scope admin, and where the profile has no price. */
  cost: Cost | null;
}

export interface ReplicaCounts {
  desired: number;
  ready: number;
  starting: number;
  draining: number;
  failed: number;
  /** Bounds of `desired`. */
  min: number;
  max: number;
}

export interface Scaling {
  reason: string;
  message: string;
  /** What keeps it from the replicas that the load asks for: the reason of the condition ScalingLimited, such as AtMax. */
  limited_by: string | null;
  target_rps: number;
  target_latency_p95_ms: number;
}

/** What all gateways saw together at one moment. */
export interface Live {
  /** Unix seconds, with a fraction. */
  time: number;
  requests_per_second: number;
  /** Of requests that ended lately, from arrival to the end of the answer; null where none did. */
  latency_p50_ms: number | null;
  latency_p95_ms: number | null;
  /** From arrival to the first bytes of the answer. */
  ttft_p95_ms: number | null;
  /** Requests that replicas work on. */
  in_flight: number;
  /** Requests that wait for a replica. */
  queued: number;
  /** 0 to 1, the mean over replicas that were heard of lately. */
  kv_cache_usage: number | null;
  replicas_ready: number;
  replicas_desired: number;
}

/** Decimal strings: a float would not hold a price. */
export interface Cost {
  currency: string;
  per_hour: string;
  per_day: string;
  per_million_tokens: string | null;
}

/** A deployment with all that is known of it. */
export interface Detail extends Summary {
  aliases: string[];
  adapters: string[];
  endpoint: string | null;
  suspended: boolean;
  conditions: Condition[];
  replica_list: Replica[];
  /** Decisions of the scaler, newest first. */
  recent: Decision[];
  learned: Learned | null;
}

export interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
  /** Unix seconds. */
  since: number | null;
}

export interface Replica {
  /** Of its pod. */
  name: string;
  state: 'Ready' | 'Starting' | 'Draining' | 'Failed';
  reason: string | null;
  /** Unix seconds. */
  since: number | null;
  /** Null for a key without the scope admin. */
  node: string | null;
  in_flight: number;
  /** Requests that wait for room in the engine. */
  waiting: number | null;
  /** 0 to 1. */
  kv_cache_usage: number | null;
}

export interface Decision {
  /** Unix seconds. */
  time: number;
  from: number;
  to: number;
  reason: string;
  message: string;
}

/** Of one replica. */
export interface Learned {
  requests_per_second: number | null;
  load_seconds: number | null;
}

/** The events of GET /deployments/events: the name of each and its data. */
export interface DeploymentEvents {
  /** First: all. */
  list: { data: Summary[] };
  changed: { data: Summary[] };
  removed: { ids: string[] };
  /** Of the deployment that was asked for. */
  detail: Detail;
  /** Once: the last 15 minutes, as far as they are known, oldest first. */
  history: { id: string; samples: Live[] };
  sample: { id: string; sample: Live };
}
