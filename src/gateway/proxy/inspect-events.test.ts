import { describe, expect, test } from '@jest/globals';
import { inspectEvents, saysAborted } from './inspect-events.ts';

function inspect(text: string): { pass: string; end?: string; error?: string } {
  const { pass, end, error } = inspectEvents(Buffer.from(text), Buffer.from(text).toString('latin1'));
  return {
    pass: pass.toString(),
    ...(end === undefined ? {} : { end }),
    ...(error === undefined ? {} : { error: error.toString() }),
  };
}

const EVENT = 'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n';

describe('events', () => {
  test('plain ones pass', () => {
    expect(inspect(EVENT + EVENT)).toEqual({ pass: EVENT + EVENT });
  });

  test.each(['data: [DONE]\n\n', 'data:[DONE]\r\n\r\n', ': comment\ndata: [DONE]\n\n'])('%p is the end', (done) => {
    expect(inspect(EVENT + done)).toEqual({ pass: EVENT + done, end: 'done' });
  });

  test('an error is kept back, with all that follows', () => {
    expect(inspect(`${EVENT}data: {"error":{"message":"a"}}\r\n\r\ndata: [DONE]\n\n`)).toEqual({
      pass: EVENT,
      end: 'error',
      error: ' {"error":{"message":"a"}}\r',
    });
  });

  test('an abort is kept back', () => {
    const abort = EVENT.replace('null', '"abort"');
    expect(inspect(EVENT + abort)).toEqual({ pass: EVENT, end: 'aborted' });
    expect(inspect(abort)).toEqual({ pass: '', end: 'aborted' });
  });

  test.each(['data: [DONE]', '\ndata: [DONE]', 'data: {"error":{}}', '"finish_reason":"abort"', '"error":'])(
    'a text that says %p is a text',
    (content) => {
      const event = `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`;
      expect(inspect(event)).toEqual({ pass: event });
      expect(saysAborted(Buffer.from(event))).toBe(false);
    },
  );
});
