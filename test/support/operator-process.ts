/** The operator as a process of its own, as it runs in a cluster: only so can it be killed at any moment. */
import { join, resolve } from 'node:path';
import { eventually } from './eventually.ts';
import { LoggedProcess } from './logged-process.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../..');

/** The folder of the CRDs that a test applies. */
export const CRD_DIRECTORY = join(REPOSITORY, 'crds');

const ENTRY = join(REPOSITORY, 'src/operator/main.ts');

export interface OperatorOptions {
  kubeconfig: string;
  identity?: string;
  environment?: Record<string, string>;
}

export class OperatorProcess extends LoggedProcess {
  /** Starts an operator and returns at once. Its health port is a free one. */
  static start(options: OperatorOptions): OperatorProcess {
    return new OperatorProcess(ENTRY, {
      KUBECONFIG: options.kubeconfig,
      INFER_NAMESPACE: 'infer-system',
      INFER_IDENTITY: options.identity ?? 'operator-1',
      INFER_IMAGE: 'localhost/infer:dev',
      INFER_PORT: '0',
      // A Job runs nowhere without a kubelet; tests of the preflight have a stand-in that plays its pod.
      INFER_PREFLIGHT: 'off',
      ...options.environment,
    });
  }

  /** The port of health and metrics once the log names it. */
  get port(): number | undefined {
    return this.logged('port');
  }

  /**
   * Returns a metric now, of a deployment where one is named; undefined where it has none, or no port yet. Other tests have
   * deployments at the same API server.
   */
  async metric(name: string, deployment?: { namespace: string; name: string }): Promise<number | undefined> {
    if (this.port === undefined) return undefined;
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    const labels =
      deployment === undefined
        ? ''
        : `\\{(?=[^}]*\\bnamespace="${deployment.namespace}")(?=[^}]*\\bdeployment="${deployment.name}")[^}]*\\}`;
    const value = new RegExp(`^${name}${labels} (\\S+)$`, 'm').exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  }

  /** Waits until it leads, and has begun with its passes. */
  async reconciling(timeoutMs = 60_000): Promise<void> {
    await eventually(() => {
      if (!this.log.includes('"msg":"reconciling"')) throw new Error(`The operator does not lead:\n${this.log}`);
    }, timeoutMs);
  }

  /** Returns how many passes over deployments have ended; undefined before the first. */
  async passes(): Promise<number | undefined> {
    return await this.metric('infer_workqueue_work_duration_seconds_count\\{[^}]*\\}');
  }
}
