/** Requests straight to the engine: what the batch is measured against. */
import { Pool } from 'undici';
import { bodyOf, type RequestShape } from './requests.ts';

/**
 * Keeps `concurrency` requests in flight until `count` are answered; returns the answers per second. Throws an Error for an
 * answer that is not 200.
 */
export async function sendDirectly(
  origin: string,
  count: number,
  concurrency: number,
  shape: RequestShape,
): Promise<number> {
  const pool = new Pool(origin, { connections: concurrency });
  let next = 0;
  const send = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/v1/chat/completions',
        headers: { 'content-type': 'application/json' },
        body: bodyOf(number, shape),
      });
      await body.arrayBuffer();
      if (statusCode !== 200) throw new Error(`The engine answered ${statusCode}.`);
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: concurrency }, send));
  const seconds = (performance.now() - started) / 1_000;
  await pool.close();
  return count / seconds;
}
