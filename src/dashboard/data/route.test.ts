import { expect, test } from '@jest/globals';
import { detailHref, parseRoute } from './route.ts';

test.each(['qwen3-8b', 'team-b/qwen', 'a b%/?#', 'ä'])('the address of %p leads to it', (id) => {
  expect(parseRoute(detailHref(id))).toEqual({ screen: 'detail', id });
});

test.each(['', '#', '#/', '#/deployments/', '#/deployments/%', '#/other'])('%p is the list', (hash) => {
  expect(parseRoute(hash)).toEqual({ screen: 'list' });
});
