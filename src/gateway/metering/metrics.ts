/** What keys use and what deployments are used, for Prometheus. */
import { Counter, type Registry } from 'prom-client';
import { labelsOf, removeSeries, type RequestClass } from '../metrics.ts';
import type { Deployment } from '../types.ts';
import type { TokenUsage } from './token-usage.ts';

type TokenKind = 'prompt' | 'cached' | 'completion';
type KeyLabels = 'key_namespace' | 'key';

/** A key by the names of its resource. */
export interface KeyName {
  readonly namespace: string;
  readonly name: string;
}

export interface MeterMetricsOptions {
  readonly registry: Registry;
  /** One that was deleted has no series: its requests may still end, and would make them anew. */
  readonly keyExists: (key: KeyName) => boolean;
}

export class MeterMetrics {
  readonly #keyExists: (key: KeyName) => boolean;
  readonly #tokens: Counter<'kind' | 'namespace' | 'deployment' | 'class'>;
  readonly #keyTokens: Counter<KeyLabels | 'kind'>;
  readonly #keyRequests: Counter<KeyLabels | 'outcome'>;
  readonly #keySeconds: Counter<KeyLabels>;
  readonly #keyFirstToken: Counter<KeyLabels>;
  readonly #dropped: Counter;

  constructor({ registry, keyExists }: MeterMetricsOptions) {
    const registers = [registry];
    this.#keyExists = keyExists;
    this.#tokens = new Counter({
      name: 'infer_gateway_tokens_total',
      help: 'Tokens as the engines count them; cached ones are among those of the prompt.',
      labelNames: ['kind', 'namespace', 'deployment', 'class'],
      registers,
    });
    this.#keyTokens = new Counter({
      name: 'infer_gateway_key_tokens_total',
      help: 'The same tokens by the key that used them.',
      labelNames: ['kind', 'key_namespace', 'key'],
      registers,
    });
    this.#keyRequests = new Counter({
      name: 'infer_gateway_key_requests_total',
      help: 'Requests to deployments by key: answered, failed, or left by their client.',
      labelNames: ['outcome', 'key_namespace', 'key'],
      registers,
    });
    this.#keySeconds = new Counter({
      name: 'infer_gateway_key_request_seconds_total',
      help: 'Time that the requests of a key took, over all of them.',
      labelNames: ['key_namespace', 'key'],
      registers,
    });
    this.#keyFirstToken = new Counter({
      name: 'infer_gateway_key_first_token_seconds_total',
      help: 'Time to the first byte of the answers to a key, over all of them.',
      labelNames: ['key_namespace', 'key'],
      registers,
    });
    this.#dropped = new Counter({
      name: 'infer_gateway_usage_rows_dropped_total',
      help: 'Rows of use of which nothing is kept: the batch process took none for too long, or refused them.',
      registers,
    });
  }

  used(key: KeyName, deployment: Deployment, requestClass: RequestClass, tokens: TokenUsage): void {
    const ofKey = this.#labelsOf(key);
    const ofDeployment = { ...labelsOf(deployment), class: requestClass };
    const add = (kind: TokenKind, amount: number): void => {
      if (amount === 0) return;
      this.#tokens.inc({ kind, ...ofDeployment }, amount);
      this.#keyTokens.inc({ kind, ...ofKey }, amount);
    };
    add('prompt', tokens.promptTokens);
    add('cached', tokens.cachedTokens);
    add('completion', tokens.completionTokens);
  }

  /** Counts a request that is over; times in milliseconds. */
  finished(
    key: KeyName,
    { outcome, firstTokenMs, latencyMs }: { outcome: string; firstTokenMs: number; latencyMs: number },
  ): void {
    const labels = this.#labelsOf(key);
    this.#keyRequests.inc({ outcome, ...labels });
    this.#keySeconds.inc(labels, latencyMs / 1000);
    this.#keyFirstToken.inc(labels, firstTokenMs / 1000);
  }

  dropped(rows: number): void {
    this.#dropped.inc(rows);
  }

  /** Removes the series of a deployment that was deleted. */
  async forgetDeployment({ namespace, name }: Deployment): Promise<void> {
    await removeSeries([this.#tokens], { namespace, deployment: name });
  }

  /** Removes the series of a key that was deleted. */
  async forgetKey({ namespace, name }: KeyName): Promise<void> {
    const metrics = [this.#keyTokens, this.#keyRequests, this.#keySeconds, this.#keyFirstToken];
    await removeSeries(metrics, { key_namespace: namespace, key: name });
  }

  #labelsOf(key: KeyName): { key_namespace: string; key: string } {
    return this.#keyExists(key) ? { key_namespace: key.namespace, key: key.name } : { key_namespace: '', key: '' };
  }
}
