import { expect, test } from '@jest/globals';
import { keeperOf } from './gitops.ts';

const tracking = 'llms:infer.dev/InferenceDeployment:team-a/chat';

test.each([
  ['nothing', {}, undefined],
  ['Argo CD by its annotation', { annotations: { 'argocd.argoproj.io/tracking-id': tracking } }, 'Argo CD llms'],
  ['Argo CD by its label', { labels: { 'argocd.argoproj.io/instance': 'llms' } }, 'Argo CD llms'],
  ['probably Argo CD by a common label', { labels: { 'app.kubernetes.io/instance': 'llms' } }, 'Argo CD llms?'],
  ['a Kustomization', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }, 'Flux apps'],
  [
    'a HelmRelease',
    { labels: { 'helm.toolkit.fluxcd.io/name': 'apps', 'app.kubernetes.io/instance': 'x' } },
    'Flux apps',
  ],
  [
    'nothing, where Helm itself set the label',
    {
      labels: { 'app.kubernetes.io/instance': 'x' },
      annotations: { 'meta.helm.sh/release-name': 'x' },
    },
    undefined,
  ],
])('%s keeps it', (_, metadata, keeper) => {
  const found = keeperOf({ name: 'chat', ...metadata });
  expect(found && `${found.tool} ${found.name}${found.isGuess === true ? '?' : ''}`).toBe(keeper);
});
