import { expect, test } from '@jest/globals';
import { NO_USAGE, addUsage, answerResult } from './result-lines.ts';

test('usage stays what a resource can hold, whatever engines say', () => {
  const usage = { prompt_tokens: Number.MAX_SAFE_INTEGER, completion_tokens: 1e300, cached_tokens: -1 };
  const body = Buffer.from(JSON.stringify({ usage }));
  const answer = { status: 200, requestId: 'r', body, retryAfterSeconds: undefined };
  const { usage: once } = answerResult('id', 'a', answer);
  let sum = NO_USAGE;
  for (let times = 0; times < 3000; times += 1) sum = addUsage(sum, once);
  expect(sum).toEqual({ promptTokens: Number.MAX_SAFE_INTEGER, cachedTokens: 0, completionTokens: 0 });
});
