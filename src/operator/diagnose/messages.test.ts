import { describe, expect, test } from '@jest/globals';
import { hostileText, parseDownloadFailure, sameButForNumbers } from './messages.ts';

describe('hostileText', () => {
  test.each([
    ['token hf_abcdefghijklmnop was refused', 'token hf_*** was refused'],
    ['Authorization: Bearer abc.def', 'Authorization: Bearer ***'],
    ['proxy http://user:pass@host/ failed', 'proxy http://***@host/ failed'],
    ['https://hf_user@host/x and https://a:b@c@host/', 'https://***@host/x and https://***@host/'],
    ['key infer_team_0123456789abcdef0123', 'key infer_***'],
    ['two\nlines\tand\u001b[31m colour', 'two lines and [31m colour'],
  ])('%j becomes %j', (text, expected) => {
    expect(hostileText(text)).toBe(expected);
  });

  test('a long text ends within 300 characters', () => {
    expect(hostileText('x'.repeat(5000))).toHaveLength(300);
  });
});

test.each([
  ['the size that differs', 'needs 10.5 GiB', 'needs 11 GiB', true],
  ['the word that differs', 'needs 10.5 GiB', 'has 10.5 GiB', false],
])('sameButForNumbers sees %s', (_sentence, a, b, same) => {
  expect(sameButForNumbers(a, b)).toBe(same);
});

describe('parseDownloadFailure', () => {
  test.each([
    ['a known reason is kept', '{"reason":"DiskFull","message":"m"}', 'DiskFull'],
    ['a missing revision is a model that is not found', '{"reason":"RevisionNotFound","message":"m"}', 'ModelNotFound'],
    ['an unknown reason is not passed on', '{"reason":"Serving","message":"m"}', 'DownloadFailed'],
    ['an object as reason is not passed on', '{"reason":{},"message":[]}', 'DownloadFailed'],
    ['null is no failure report', 'null', 'DownloadFailed'],
    ['text that is no JSON', 'Killed', 'DownloadFailed'],
    ['nothing', undefined, 'DownloadFailed'],
  ])('%s', (_sentence, text, reason) => {
    expect(parseDownloadFailure(text).reason).toBe(reason);
  });
});
