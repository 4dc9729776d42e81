/** Events with a token in each stream. */
export const CHUNKS = 100;

/** What is asked, and how often. */
export interface Scenario {
  name: string;
  stream: boolean;
  promptBytes: number;
  /** Connections that each send a request as soon as they have the answer to the last. */
  connections: number;
  /** Requests per second at which latencies are measured: far below what any of the targets holds. */
  rate: number;
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'unary', stream: false, promptBytes: 200, connections: 32, rate: 150 },
  { name: `stream of ${CHUNKS}`, stream: true, promptBytes: 200, connections: 32, rate: 30 },
  { name: 'unary, 128 kB prompt', stream: false, promptBytes: 128 * 1024, connections: 16, rate: 40 },
];

/** Returns the bytes of a request of the scenario, ready to be sent. */
export function requestBytes({ stream, promptBytes }: Scenario, key: string): Buffer {
  const content = 'Tell me about the "sea".\n'.repeat(Math.ceil(promptBytes / 25)).slice(0, promptBytes);
  const body = JSON.stringify({ model: 'bench', messages: [{ role: 'user', content }], max_tokens: CHUNKS, stream });
  const head = [
    'POST /v1/chat/completions HTTP/1.1',
    'host: bench',
    `authorization: Bearer ${key}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}
