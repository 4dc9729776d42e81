import { describe, expect, test } from '@jest/globals';
import { matches, parseRequest } from './proxy-request.ts';
import { RuleBook, seededRandom } from './proxy-rules.ts';

const PODS = '/api/v1/namespaces/team-a/pods';
const APPS = '/apis/apps/v1/namespaces/team-a/deployments';

test.each<[string, string, string, string]>([
  ['GET', PODS, '', 'list pods  team-a '],
  ['GET', '/api/v1/pods?watch=true', '', 'watch pods   '],
  ['GET', `${PODS}/x/log?follow=true`, '', 'get pods log team-a x'],
  ['GET', '/api/v1/namespaces/team-a', '', 'get namespaces   team-a'],
  ['POST', PODS, '{"metadata":{"name":"made"}}', 'create pods  team-a made'],
  ['POST', PODS, '{"metadata":{"generateName":"made-"}}', 'create pods  team-a '],
  ['PUT', `${APPS}/x/status`, '', 'update deployments.apps status team-a x'],
  ['DELETE', `${APPS}/x`, '', 'delete deployments.apps  team-a x'],
  ['DELETE', APPS, '', 'deletecollection deployments.apps  team-a '],
  ['GET', '/readyz', '', 'get    '],
])('%s %s means what it says', (method, url, body, expected) => {
  const { verb, resource, subresource, namespace, name } = parseRequest({ method, url, headers: {} }, body);
  expect(`${verb} ${resource} ${subresource} ${namespace} ${name}`).toBe(expected);
});

test.each([
  ['application/apply-patch+yaml', 'apply'],
  ['application/merge-patch+json', 'patch'],
])('a PATCH of %s is %s', (type, verb) => {
  const request = { method: 'PATCH', url: `${APPS}/x`, headers: { 'content-type': type } };
  expect(parseRequest(request, '').verb).toBe(verb);
});

const request = { verb: 'get', resource: 'deployments.apps', subresource: '', namespace: 'n', name: 'x' };

/** For 64 requests whether a rule of probability one half applied. */
function drawn(seed: number): string {
  const rules = new RuleBook(seed);
  rules.add({ match: {}, probability: 0.5, action: { type: 'blackhole' } });
  return Array.from({ length: 64 }, () => rules.forRequest(request).length).join('');
}

describe('rules', () => {
  test('match by every field given, a resource with or without its group', () => {
    expect(matches(request, {})).toBe(true);
    expect(matches(request, { resource: 'deployments', verb: ['get', 'list'] })).toBe(true);
    expect(matches(request, { resource: 'deployments.apps', name: 'y' })).toBe(false);
    expect(matches(request, { verb: 'list' })).toBe(false);
  });

  test('apply to the n-th request alone, or to the first few', () => {
    const rules = new RuleBook(1);
    const third = rules.add({ match: { nth: 3 }, action: { type: 'blackhole' } });
    const twice = rules.add({ match: {}, times: 2, action: { type: 'delay', ms: 1 } });
    const met = [1, 2, 3, 4].map(() => rules.forRequest(request).map(({ type }) => type));
    expect(met).toEqual([['delay'], ['delay'], ['blackhole'], []]);
    expect([third.hits, twice.hits]).toEqual([1, 2]);
    third.remove();
    rules.clear();
    expect(rules.forRequest(request)).toEqual([]);
  });

  test('with a probability draw the same for the same seed', () => {
    expect(drawn(7)).toBe(drawn(7));
    expect(drawn(7)).not.toBe(drawn(8));
    const mean = Array.from({ length: 1000 }, seededRandom(3)).reduce((sum, draw) => sum + draw, 0) / 1000;
    expect(mean).toBeGreaterThan(0.45);
    expect(mean).toBeLessThan(0.55);
  });
});
