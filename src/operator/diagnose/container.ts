/** Pure: a container that Kubernetes cannot create or start → what is missing. */
import type { ContainerState, ContainerStatus } from '../../api/kubernetes.ts';
import { imagePull } from './image.ts';
import { failed, type ReplicaContext, type ReplicaState } from './context.ts';
import { hostileText, withoutFullStop } from './messages.ts';

export type End = NonNullable<ContainerState['terminated']>;

const CANNOT_CREATE: readonly string[] = ['CreateContainerConfigError', 'CreateContainerError', 'RunContainerError'];
/** Of a container whose first process could not be started; it has printed nothing. */
const NOT_STARTED: readonly string[] = ['StartError', 'ContainerCannotRun'];

/** Returns how the container last ended, also while it runs again or waits to. */
export function lastEnd(container: ContainerStatus): End | undefined {
  return container.state?.terminated ?? container.lastState?.terminated;
}

/** Returns whether `end` is that of a container whose program never ran. */
export function neverStarted({ reason }: End): boolean {
  return NOT_STARTED.includes(reason ?? '');
}

/** Returns why Kubernetes cannot start the container of a pod of ours; undefined where nothing keeps it from it. */
export function blockedStart(container: ContainerStatus, context: ReplicaContext): ReplicaState | undefined {
  return imagePull(container, context) ?? configuration(container, context);
}

/** Returns the state of a replica whose `container` cannot be made; undefined where it can. */
export function configuration(container: ContainerStatus, context: ReplicaContext): ReplicaState | undefined {
  const waiting = container.state?.waiting;
  const end = lastEnd(container);
  const notStarted = container.state?.running === undefined && end !== undefined && neverStarted(end);
  if (!notStarted && !CANNOT_CREATE.includes(waiting?.reason ?? '')) return undefined;
  // A start that failed is shown as an end, as a back-off and as RunContainerError in turn; the end tells it each time.
  const message = (notStarted ? end.message : waiting?.message) ?? '';
  return missingToken(message, context) ?? invalid(container.name, message, context);
}

function missingToken(message: string, { namespace, tokenSecret }: ReplicaContext): ReplicaState | undefined {
  if (tokenSecret === undefined) return undefined;
  const { name, key } = tokenSecret;
  if (message.includes(`secret "${name}" not found`)) {
    return failed(
      'TokenMissing',
      `Namespace ${namespace} has no Secret ${name} with key ${key}. Create it: kubectl -n ${namespace} create secret generic ${name} --from-file=${key}=FILE`,
    );
  }
  if (message.includes(`couldn't find key ${key} in Secret ${namespace}/${name}`)) {
    return failed(
      'TokenMissing',
      `Secret ${name} in namespace ${namespace} has no key ${key}. Add it, or name the key that has the token in spec.model.tokenSecretRef.key: kubectl -n ${namespace} describe secret ${name}`,
    );
  }
  return undefined;
}

function invalid(container: string, message: string, { profileName }: ReplicaContext): ReplicaState {
  const after = `Kubernetes cannot start container ${container}`;
  const cause = message.replace(/^.*(?:container process|container init): /s, '').replace(/: unknown$/, '');
  const said = withoutFullStop(hostileText(cause === '' ? 'no message' : cause));
  const next = /executable file not found|no such file or directory/.test(said)
    ? `Its image in profile ${profileName} must be one of vLLM, with the command vllm.`
    : `Check image, resources and runtimeClassName of profile ${profileName}.`;
  return failed('ContainerConfigInvalid', `${after}: ${said}. ${next}`, { after });
}
