/** `kubectl port-forward` to a Service, for as long as a callback runs. */
import { spawn } from 'node:child_process';
import type { Access } from '../cluster/kubectl.ts';

/**
 * Forwards a free local port to `port` of Service `service` and returns what `use` returns, called with the base URL
 * `http://127.0.0.1:PORT`. Throws with what kubectl said when the forward does not come up.
 */
export async function withPortForward<T>(
  access: Access,
  target: { namespace: string; service: string; port: number },
  use: (baseUrl: string) => Promise<T>,
): Promise<T> {
  const { namespace, service, port } = target;
  const child = spawn(
    access.kubectl,
    ['--kubeconfig', access.kubeconfig, '-n', namespace, 'port-forward', `service/${service}`, `:${port}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  try {
    const localPort = await new Promise<string>((resolve, reject) => {
      let output = '';
      const read = (text: string): void => {
        output += text;
        const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(output)?.[1];
        if (found !== undefined) resolve(found);
      };
      child.stdout.setEncoding('utf8').on('data', read);
      child.stderr.setEncoding('utf8').on('data', read);
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`kubectl port-forward to ${service} ended: ${output.trim()}`)));
    });
    return await use(`http://127.0.0.1:${localPort}`);
  } finally {
    child.kill();
  }
}
