/** Batches as a client makes them, by OpenAI's package, and what must hold of what comes back. */
import { expect } from '@jest/globals';
import OpenAI, { toFile } from 'openai';
import { eventually } from './eventually.ts';

export type Batch = OpenAI.Batches.Batch;

const ENDPOINT = '/v1/chat/completions';
const ENDED: readonly Batch['status'][] = ['completed', 'failed', 'expired', 'cancelled'];

interface ResultLine {
  custom_id: string;
  response: { status_code: number; body: { choices: { message: { content: string } }[] } } | null;
}

export class BatchClient {
  readonly openai: OpenAI;

  /** `baseURL` ends in `/v1`. */
  constructor(baseURL: string, apiKey: string) {
    this.openai = new OpenAI({ apiKey, baseURL, maxRetries: 0 });
  }

  /** Uploads `count` requests, of answers of so many tokens; returns the file's id. */
  async upload(model: string, count: number, tokens: number): Promise<string> {
    const lines = idsOf(count).map((id) => {
      const messages = [{ role: 'user', content: `Say something of ${id}.` }];
      const body = { model, messages, max_tokens: tokens, ignore_eos: true };
      return `${JSON.stringify({ custom_id: id, method: 'POST', url: ENDPOINT, body })}\n`;
    });
    const file = await toFile(Buffer.from(lines.join('')), 'requests.jsonl');
    return (await this.openai.files.create({ file, purpose: 'batch' })).id;
  }

  /** Uploads requests and makes a batch of them. */
  async start(model: string, count: number, tokens: number): Promise<Batch> {
    const input_file_id = await this.upload(model, count, tokens);
    return await this.openai.batches.create({ input_file_id, endpoint: ENDPOINT, completion_window: '24h' });
  }

  /** Polls, past what dies meanwhile, until the batch has ended. */
  async ended(id: string, timeoutMs = 180_000): Promise<Batch> {
    return await eventually(
      async () => {
        const batch = await this.openai.batches.retrieve(id);
        if (!ENDED.includes(batch.status)) throw new Error(`${id} has not ended: ${JSON.stringify(batch)}`);
        return batch;
      },
      timeoutMs,
      500,
    );
  }

  /** Waits for the end of a batch of `count` requests and holds it to one good answer for each. */
  async expectAllAnswered(id: string, count: number, timeoutMs?: number): Promise<void> {
    const batch = await this.ended(id, timeoutMs);
    expect(batch).toMatchObject({ status: 'completed', request_counts: { total: count, completed: count, failed: 0 } });
    expect(batch.error_file_id ?? null).toBeNull();
    const text = await (await this.openai.files.content(batch.output_file_id ?? '')).text();
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as ResultLine);
    expect(lines.map(({ custom_id }) => custom_id).toSorted()).toEqual(idsOf(count));
    for (const { response } of lines) expect(response?.body.choices[0]?.message.content).not.toBe('');
  }
}

function idsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `request-${String(index).padStart(4, '0')}`);
}
