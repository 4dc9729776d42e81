import { describe, expect, test } from '@jest/globals';
import { isFromPage, readCookies } from './cookie.ts';

describe('a request is of our page', () => {
  const page = { 'x-infer-page': '1', host: 'infer.example.com' };

  test.each([
    ['by its header', page, true],
    ['not without', { host: page.host }, false],
    ['not with another value', { ...page, 'x-infer-page': '1, 1' }, false],
    ['by what the browser says', { ...page, 'sec-fetch-site': 'same-origin' }, true],
    ['not from another site', { ...page, 'sec-fetch-site': 'cross-site' }, false],
    ['not from a neighbour', { ...page, 'sec-fetch-site': 'same-site' }, false],
    ['not typed by hand', { ...page, 'sec-fetch-site': 'none' }, false],
    ['by its origin', { ...page, origin: 'http://infer.example.com' }, true],
    ['not from another', { ...page, origin: 'http://evil.example.com' }, false],
    ['not from another port', { ...page, origin: 'http://infer.example.com:8443' }, false],
    ['not from a sandbox', { ...page, origin: 'null' }, false],
    [
      'behind a proxy',
      { ...page, host: 'infer-gateway', 'x-forwarded-host': 'a.example', origin: 'https://a.example' },
      true,
    ],
    [
      'where a proxy names another host and the browser says that it is one',
      { ...page, origin: 'https://a.example', 'sec-fetch-site': 'same-origin' },
      true,
    ],
  ])('%s', (_, headers, expected) => {
    expect(isFromPage(headers)).toBe(expected);
  });
});

test.each([
  [undefined, []],
  ['', []],
  ['infer_session=a', ['a']],
  ['x=1;infer_session=a.b-_; y=2', ['a.b-_']],
  ['xinfer_session=a; infer_sessionx=b', []],
  [Array(9).fill('infer_session=a').join('; '), ['a', 'a', 'a', 'a']],
])('the cookies of %j', (header, values) => {
  expect(readCookies(header)).toEqual(values);
});
