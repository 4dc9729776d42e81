import { describe, expect, test } from '@jest/globals';
import { StreamReader } from './stream-reader.ts';

const chunk = (text: string, finishReason: string | null = null): string =>
  `data: ${JSON.stringify({ choices: [{ delta: { content: text }, finish_reason: finishReason }] })}\n\n`;
const WHOLE = `: held\n\n${chunk('grüße 🌊')}${chunk('', 'stop')}data: [DONE]\n\n`;

function read(text: string, pieceBytes = Infinity): { events: number; reason: string | undefined } {
  const reader = new StreamReader();
  const bytes = Buffer.from(text);
  let events = 0;
  for (let at = 0; at < bytes.length; at += pieceBytes) events += reader.push(bytes.subarray(at, at + pieceBytes));
  return { events, reason: reader.verdict()?.reason };
}

describe('StreamReader', () => {
  test.each([
    ['in one piece', WHOLE, Infinity],
    ['byte by byte', WHOLE, 1],
    ['in pieces of three bytes', WHOLE, 3],
    ['with CRLF, byte by byte', WHOLE.replaceAll('\n', '\r\n'), 1],
    ['without a space after the colon', WHOLE.replaceAll('data: ', 'data:'), Infinity],
  ])('a whole stream is whole %s; its comment is no event', (_, text, pieceBytes) => {
    expect(read(text, pieceBytes)).toEqual({ events: 3, reason: undefined });
  });

  test.each([
    ['nothing at all', '', 'no [DONE]'],
    ['an end without [DONE]', chunk('a') + chunk('', 'stop'), 'no [DONE]'],
    ['[DONE] whose last line end is missing', `${chunk('', 'stop')}data: [DONE]`, 'no [DONE]'],
    ['[DONE] before the answer has finished', `${chunk('a')}data: [DONE]\n\n`, 'no finish_reason'],
    ['an event after [DONE]', WHOLE + chunk('b'), 'data after [DONE]'],
    ['an event that is not JSON', `data: {"choices"\n\n${WHOLE}`, 'not JSON'],
    ['an aborted answer', `${chunk('', 'abort')}data: [DONE]\n\n`, 'finish_reason abort'],
    [
      'an error event',
      `${chunk('a')}data: {"error":{"message":"m","code":"engine_lost"}}\n\n`,
      'error event engine_lost',
    ],
    ['an error event and [DONE]', `data: {"error":{"type":"server_error"}}\n\n${WHOLE}`, 'error event server_error'],
    ['an event without an end', `data: ${'x'.repeat(1024 * 1024)}`, 'endless event'],
  ])('%s is a cut', (_, text, reason) => {
    expect(read(text).reason).toBe(reason);
  });
});
