import { describe, expect, test } from '@jest/globals';
import { imagesOf, withArchives, withImages } from './dev-images.ts';

const MANIFESTS = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: infer-operator }
spec:
  template:
    metadata: { labels: { app: operator } }
    spec:
      containers:
        - image: localhost/infer:dev
          env: [{ name: INFER_IMAGE, value: localhost/infer:dev }]
---
apiVersion: infer.dev/v1alpha1
kind: HardwareProfile
spec: { image: localhost/vllm-sim:dev }
`;

/** The objects of the manifests, marked with this archive of `infer`. */
function marks(archive: string): unknown[] {
  return withArchives(MANIFESTS, [archive, '/cache/b/vllm-sim.tar'])
    .split('\n---\n')
    .map((text) => JSON.parse(text) as unknown);
}

describe('images of the user’s own', () => {
  const environment = {
    IMAGE: 'r.example/infer:1',
    VLLM_SIM_IMAGE: 'r.example/vllm:1',
    HUB_SIM_IMAGE: 'r.example/hub',
  };

  test('stand wherever the overlay names one', () => {
    const text = withImages(MANIFESTS, imagesOf(environment));
    expect(text.match(/r\.example\/infer:1/g)).toHaveLength(2);
    expect(text).toContain('image: r.example/vllm:1');
    expect(text).not.toContain('localhost');
  });

  test('that are not all named are refused with what to set', () => {
    expect(() => imagesOf({ ...environment, IMAGE: '', HUB_SIM_IMAGE: undefined })).toThrow(
      /push the images .* and set IMAGE, HUB_SIM_IMAGE to their names\.$/,
    );
  });
});

describe('the mark of an archive', () => {
  test('is on the pods of its image, beside what is there', () => {
    const [operator, profile] = marks('/cache/a1/infer.tar');
    const metadata = { labels: { app: 'operator' }, annotations: { 'infer.dev/archive': 'a1' } };
    expect(operator).toMatchObject({ spec: { template: { metadata } } });
    expect(profile).toEqual({
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'HardwareProfile',
      spec: { image: 'localhost/vllm-sim:dev' },
    });
  });

  test('differs when the image does, and only then', () => {
    expect(marks('/cache/a1/infer.tar')).toEqual(marks('/elsewhere/a1/infer.tar'));
    expect(marks('/cache/a1/infer.tar')).not.toEqual(marks('/cache/a2/infer.tar'));
  });
});
