import { describe, expect, test } from '@jest/globals';
import { WholeEvents } from '../proxy/whole-events.ts';
import type { ShownUsage } from './stream-options.ts';
import { StreamUsage } from './stream-usage.ts';
import type { TokenUsage } from './token-usage.ts';

const HEAD = '"id":"c","object":"chat.completion.chunk","created":1,"model":"tiny"';

function counts(prompt: number, completion: number): string {
  return `"usage":{"prompt_tokens":${prompt},"total_tokens":${prompt + completion},"completion_tokens":${completion}}`;
}

/** An event as vLLM writes it. */
function token(content: string, usage?: string, index = 0): string {
  const choice = `{"index":${index},"delta":{"content":${JSON.stringify(content)}},"logprobs":null,"finish_reason":null}`;
  return `data: {${HEAD},"choices":[${choice}]${usage === undefined ? '' : `,${usage}`}}\n\n`;
}

const FINAL =
  `data: {${HEAD},"choices":[],"usage":{"prompt_tokens":7,"total_tokens":10,"completion_tokens":3,` +
  '"prompt_tokens_details":{"cached_tokens":4}}}\n\n';
const DONE = 'data: [DONE]\n\n';

function read(
  pieces: readonly string[],
  { shown = 'none', choicesPerPrompt = 1 }: { shown?: ShownUsage; choicesPerPrompt?: number } = {},
): { text: string; usage: TokenUsage | undefined } {
  const usage = new StreamUsage({ shown, choicesPerPrompt });
  const whole = new WholeEvents();
  const text = pieces.map((piece) => {
    const events = whole.push(Buffer.from(piece, 'latin1'));
    return events === undefined ? '' : usage.take(events, events.toString('latin1')).toString('latin1');
  });
  return { text: text.join(''), usage: usage.usage };
}

const STREAM = [token('', counts(7, 0)), token('a', counts(7, 1)), token('é', counts(7, 3)), FINAL, DONE].join('');
const WHOLE = { promptTokens: 7, cachedTokens: 4, completionTokens: 3 };

describe('what the client did not ask for is hidden', () => {
  test.each<[ShownUsage, string]>([
    ['none', [token(''), token('a'), token('é'), DONE].join('')],
    ['final', [token(''), token('a'), token('é'), FINAL, DONE].join('')],
    ['each', STREAM],
  ])('asked for %p', (shown, expected) => {
    expect(read([STREAM], { shown })).toEqual({ text: expected, usage: WHOLE });
  });

  test('wherever the bytes are cut', () => {
    const expected = read([STREAM]);
    for (let cut = 1; cut < STREAM.length; cut += 1) {
      expect(read([STREAM.slice(0, cut), STREAM.slice(cut)])).toEqual(expected);
    }
    expect(read(STREAM.split(''))).toEqual(expected);
  });

  test.each([
    ['CR LF', STREAM.replaceAll('\n', '\r\n'), read([STREAM]).text.replaceAll('\n', '\r\n')],
    [
      'spaces',
      'data: {"choices": [ {"index": 0} ], "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "x": 1}\n\n' +
        'data: {"choices": [ ], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}\n\n',
      'data: {"choices": [ {"index": 0} ], "x": 1}\n\n',
    ],
    [
      'usage as the first field',
      'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}, "choices":[{"index":0}]}\n\n' +
        'data: {"usage":{"prompt_tokens":1},"choices":[]}\n\n',
      'data: { "choices":[{"index":0}]}\n\n',
    ],
    [
      'details in each event',
      'data: {"choices":[{"index":0}],"usage":{"prompt_tokens":1,"d":{"a":{"b":1}},"completion_tokens":2},"x":null}\n\n',
      'data: {"choices":[{"index":0}],"x":null}\n\n',
    ],
  ])('written with %s', (_, stream, expected) => {
    expect(read([stream]).text).toBe(expected);
  });

  test.each(['"usage":null', '"usage": null'])('%s tells nothing, and stays', (field) => {
    const stream = token('a', field);
    expect(read([stream])).toEqual({ text: stream, usage: undefined });
  });
});

const reasoning = (tokens: number): string => `"completion_tokens_details":{"reasoning_tokens":${tokens}}`;
const withMore = (usage: string, more: string): string => `${usage.slice(0, -1)},${more}}`;
const chatEvent = (text: string, usage: string, more = ''): string =>
  `data: {${HEAD},"choices":[{"index":0,"delta":{"content":"${text}"},"finish_reason":null}]${usage}${more}}\n\n`;

describe('as vLLM writes it', () => {
  test('with the details of a reasoning parser, of a prompt with images, and fields behind them', () => {
    const tokens = '"prompt_token_ids":[1,2,3],"prompt_text":"\\"usage\\":{}"';
    const final = withMore(
      counts(7, 2),
      `"prompt_tokens_details":{"cached_tokens":4,"multimodal_tokens":{"image":3}},${reasoning(1)}`,
    );
    const stream = [
      chatEvent('', `,${withMore(counts(7, 0), reasoning(0))}`, `,${tokens}`),
      chatEvent('a', `,${withMore(counts(7, 1), reasoning(1))}`),
      `data: {${HEAD},"choices":[],${final},"system_fingerprint":"f"}\n\n`,
      DONE,
    ];
    expect(read(stream)).toEqual({
      text: chatEvent('', '', `,${tokens}`) + chatEvent('a', '') + DONE,
      usage: { promptTokens: 7, cachedTokens: 4, completionTokens: 2 },
    });
  });

  test('with details that are null', () => {
    const stream = [chatEvent('a', `,${withMore(counts(7, 1), '"completion_tokens_details":null')}`)];
    expect(read(stream)).toEqual({
      text: chatEvent('a', ''),
      usage: { promptTokens: 7, cachedTokens: 0, completionTokens: 1 },
    });
  });
});

test.each([
  `,${counts(1, 99)}`,
  `"choices":[],${counts(1, 99)}`,
  `\\",${counts(1, 99)}`,
  `\n\ndata: {"choices":[],${counts(1, 99)}}\n\n`,
])('a text that says %j is a text', (content) => {
  const stream = token(content, counts(7, 1));
  expect(read([stream])).toEqual({
    text: token(content),
    usage: { promptTokens: 7, cachedTokens: 0, completionTokens: 1 },
  });
});

describe('of a stream that was cut off', () => {
  test('what was told last counts', () => {
    expect(read([token('', counts(7, 0)), token('a', counts(7, 1))]).usage).toEqual({
      promptTokens: 7,
      cachedTokens: 0,
      completionTokens: 1,
    });
  });

  test('nothing is known before the first event', () => {
    expect(read([': waiting\n\n']).usage).toBeUndefined();
    expect(read([token('a')]).usage).toBeUndefined();
  });

  test('each choice has its own count, and the choices of a prompt share the prompt', () => {
    const stream = [
      token('a', counts(7, 1), 0),
      token('b', counts(7, 1), 1),
      token('c', counts(20, 1), 3),
      token('d', counts(7, 2), 1),
    ];
    expect(read(stream, { choicesPerPrompt: 2 }).usage).toEqual({
      promptTokens: 27,
      cachedTokens: 0,
      completionTokens: 4,
    });
  });

  test('a choice that nobody can have asked for is none', () => {
    const stream = [token('a', counts(7, 1)), token('b', counts(7, 1), 2048), token('c', counts(7, 1), 1e20)];
    expect(read(stream).usage).toEqual({ promptTokens: 7, cachedTokens: 0, completionTokens: 1 });
  });
});
