/** What the test applies: a volume of the machine's files, a profile for the CPU image, and a deployment from both. */
import { ENGINE_IMAGE, MODEL_PATH } from './volume.ts';

export const NAMESPACE = 'e2e-vllm';
export const DEPLOYMENT = 'tiny';
/** The longest answer plus its prompt, in tokens; what make-model.py gives the model. */
export const MAX_MODEL_LENGTH = 16_384;

const CLAIM = 'weights';
const PROFILE = 'vllm-cpu';

/** Returns the objects in an order in which they can be applied. `folder` is a folder on the node `node`. */
export function testObjects(folder: string, node: string): object[] {
  const size = { storage: '10Gi' };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: NAMESPACE },
      spec: {
        capacity: size,
        accessModes: ['ReadOnlyMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: NAMESPACE,
        local: { path: folder },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: CLAIM, namespace: NAMESPACE },
      spec: { accessModes: ['ReadOnlyMany'], storageClassName: NAMESPACE, resources: { requests: size } },
    },
    {
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'HardwareProfile',
      metadata: { name: PROFILE, namespace: 'infer-system' },
      spec: {
        image: ENGINE_IMAGE,
        args: ['--enforce-eager', '--max-num-seqs=16'],
        resources: { requests: { cpu: '300m', memory: '4Gi' }, limits: { memory: '10Gi' } },
      },
    },
    {
      apiVersion: 'infer.dev/v1alpha1',
      kind: 'InferenceDeployment',
      metadata: { name: DEPLOYMENT, namespace: NAMESPACE },
      spec: {
        model: { claim: { name: CLAIM, path: MODEL_PATH } },
        hardwareProfile: PROFILE,
        engine: { maxModelLen: MAX_MODEL_LENGTH, dtype: 'bfloat16' },
        drainTimeoutSeconds: 180,
      },
    },
  ];
}
