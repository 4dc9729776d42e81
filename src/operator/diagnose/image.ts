/** Pure: what the kubelet says of an image it cannot pull → whether it is missing, refused or out of reach. */
import type { ContainerStatus } from '../../api/kubernetes.ts';
import { failed, type ReplicaContext, type ReplicaState } from './context.ts';
import { hostileText, withoutFullStop } from './messages.ts';

const REASON = /^(?:ErrImage|ImagePull|ImageInspect|InvalidImage|Registry|SignatureValidation)/;

/** Nested errors that each repeat the image; the innermost one is the cause. */
const WRAPPING =
  /^(?:Back-off pulling image "[^"]*"|(?:ErrImagePull|ImagePullBackOff|RegistryUnavailable)|rpc error: code = \w+ desc =|failed to (?:pull and unpack|pull|resolve|copy|authorize)(?: (?:image|reference))?(?: "[^"]*")?|(?:initializing source|reading manifest) \S+(?: in \S+)?):? */;

/** Registries answer alike to who may not see an image and to who asks for one that is not there: refusals first. */
const CAUSES: readonly [says: RegExp, kind: 'refused' | 'missing' | 'platform' | 'full'][] = [
  [/unauthori[sz]ed|\b40[13]\b|authentication|authorization|denied|forbidden|no basic auth|credential/i, 'refused'],
  [/no match for platform/i, 'platform'],
  [/no space left/i, 'full'],
  [/not found|unknown|no such image|not present|couldn't parse|invalid reference/i, 'missing'],
];

/** Returns the state of a replica whose `container` has no image; undefined where that is not what it waits for. */
export function imagePull(container: ContainerStatus, context: ReplicaContext): ReplicaState | undefined {
  const waiting = container.state?.waiting;
  if (!REASON.test(waiting?.reason ?? '')) return undefined;
  const image = container.image === undefined ? 'the image' : `image ${container.image}`;
  const after = `The node cannot pull ${image} of container ${container.name}`;
  const said = withoutFullStop(hostileText(innermost(waiting?.message ?? ''), 200));
  // Kubernetes before 1.32 tells the cause only once and then "Back-off pulling image".
  if (said === '') {
    const next = 'Check the name and tag in the profile, and imagePullSecrets if the registry needs credentials.';
    return failed('ImagePullFailed', `${after}. ${ofInstall(container) ?? next}`, { after, vague: true });
  }
  const next = ofInstall(container) ?? nextStep(said, context);
  return failed('ImagePullFailed', `${after}: ${said}. ${next}`, { after });
}

function innermost(message: string): string {
  let text = message;
  for (;;) {
    const shorter = text.replace(WRAPPING, '');
    if (shorter === text) return text;
    text = shorter;
  }
}

function ofInstall({ name }: ContainerStatus): string | undefined {
  if (name === 'engine') return undefined;
  return "It is the image of this install of Infer: check the operator's INFER_IMAGE, and imagePullSecrets of the profile.";
}

function nextStep(said: string, context: ReplicaContext): string {
  const kind = CAUSES.find(([says]) => says.test(said))?.[1];
  const { namespace, profileName, pullSecrets = [] } = context;
  if (kind === 'missing') return `Check the name and tag of the image in profile ${profileName}.`;
  if (kind === 'platform') return `Choose an image for the nodes of profile ${profileName}.`;
  if (kind === 'full') return "Free disk on the node's image store.";
  if (kind === undefined) return 'Check that the node reaches the registry.';
  return pullSecrets.length === 0
    ? `The registry needs credentials, or there is no such image: name a Secret in imagePullSecrets of profile ${profileName}, or check the name.`
    : `Check that namespace ${namespace} has the Secret ${pullSecrets.join(', ')} of the profile's imagePullSecrets, with credentials for this registry.`;
}
