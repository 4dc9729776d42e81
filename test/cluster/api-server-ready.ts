import { readFile } from 'node:fs/promises';
import { Agent, get } from 'node:https';

/**
 * Returns true when the API server at `url` answers `/readyz` with 200, undefined when it answers otherwise.
 * Throws when it cannot be reached. Anonymous users may read /readyz in the default RBAC rules.
 */
export async function apiServerReady(url: string, caFile: string): Promise<true | undefined> {
  const agent = new Agent({ ca: await readFile(caFile), keepAlive: false });
  return await new Promise((resolve, reject) => {
    const request = get(`${url}/readyz`, { agent, timeout: 2000 }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode === 200 ? true : undefined));
    });
    request.on('timeout', () => request.destroy(new Error(`${url}/readyz did not answer within 2 s`)));
    request.on('error', reject);
  });
}
