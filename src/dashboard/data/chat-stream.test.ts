import { expect, test } from '@jest/globals';
import { readChat, type ChatPiece } from './chat-stream.ts';

async function read(text: string): Promise<ChatPiece[]> {
  const pieces: ChatPiece[] = [];
  const body = new Response(text).body;
  if (body !== null) for await (const piece of readChat(body)) pieces.push(piece);
  return pieces;
}

function chunk(delta: object, finishReason: string | null = null): string {
  return `data: ${JSON.stringify({ choices: [{ delta, finish_reason: finishReason }] })}\n\n`;
}

test('text, thoughts and the end', async () => {
  const text = [
    chunk({ role: 'assistant', content: '' }),
    chunk({ reasoning_content: 'hm' }),
    chunk({ content: 'Hi' }),
    chunk({}, 'stop'),
  ];
  expect(await read(`${text.join('')}data: {"choices":[],"usage":{}}\n\ndata: [DONE]\n\n`)).toEqual([
    { kind: 'thinking' },
    { kind: 'text', text: 'Hi' },
    { kind: 'end', reason: 'stop' },
  ]);
});

test('an error event is an error with its sentence', async () => {
  const event = 'data: {"error":{"message":"The replica is gone.","code":"engine_lost"}}\n\n';
  await expect(read(chunk({ content: 'Hi' }) + event)).rejects.toMatchObject({
    message: 'The replica is gone.',
    code: 'engine_lost',
  });
});

test('a stream that is cut is an error', async () => {
  await expect(read(chunk({ content: 'Hi' }))).rejects.toThrow('ended before the answer');
});
