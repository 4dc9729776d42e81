/** What is said of errors that a command did not expect: what happened, why, and what to do next. */
import { ApiError, ConnectionError, describeError } from '../kube/errors.ts';
import { EXIT } from './exit-codes.ts';
import { CliFailure } from './failure.ts';

const INSTALL =
  'Install it: kubectl apply -k crds && kubectl apply -k manifests/overlays/cluster (see the README). If it is installed elsewhere, choose that cluster by --context NAME.';

/** Returns the failure that tells a person of `error`. */
export function explain(error: unknown): CliFailure {
  if (error instanceof CliFailure) return error;
  if (error instanceof ApiError) return explainApiError(error);
  if (error instanceof ConnectionError) {
    return new CliFailure(
      `The cluster cannot be reached: ${describeError(error)}.`,
      'Is it running, and is this the right one? See: kubectl config get-contexts. Choose another by --context NAME.',
      EXIT.unreachable,
      { cause: error },
    );
  }
  return new CliFailure(
    `infer failed: ${describeError(error)}`,
    'This is a mistake in infer. Please report it with the command that you ran.',
    EXIT.failed,
    { cause: error },
  );
}

function explainApiError(error: ApiError): CliFailure {
  const because = { cause: error };
  switch (error.status) {
    case 401:
      return new CliFailure(
        'The cluster does not accept the credentials of the kubeconfig.',
        'They may have expired: sign in again as your cluster wants it, then try "kubectl auth whoami".',
        EXIT.unreachable,
        because,
      );
    case 403:
      return new CliFailure(
        `You are not allowed to do this. ${error.message}`,
        `Ask who administers the cluster for the right to ${refusedRight(error.message)}.`,
        EXIT.failed,
        because,
      );
    case 404:
      if (error.details?.name !== undefined) {
        const next = 'It was removed meanwhile. See what is there: infer status';
        return new CliFailure(`The cluster says: ${error.message}.`, next, EXIT.notFound, because);
      }
      // Of a kind that is not served the API server says nothing but that.
      return new CliFailure(
        'Infer is not installed in this cluster: it does not know infer.dev/v1alpha1.',
        INSTALL,
        EXIT.failed,
        because,
      );
    case 422:
      return new CliFailure(
        `The cluster refuses it:\n${invalidFields(error).join('\n')}`,
        'Change these and try again; "kubectl explain infer.spec" tells of each field.',
        EXIT.wrongUse,
        because,
      );
    default:
      return new CliFailure(
        `The cluster answered ${error.status}: ${error.message}`,
        error.status >= 500 || error.status === 429
          ? 'Try again in a moment.'
          : 'See how it is now, infer status, and try again.',
        EXIT.failed,
        because,
      );
  }
}

/** Returns the verb and the resource that the API server names, such as `list pods in namespace team-a`. */
function refusedRight(message: string): string {
  const pattern = /cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?/;
  const [, verb, resource, group, namespace] = pattern.exec(message) ?? [];
  if (verb === undefined) return 'do that';
  const what = group === '' ? resource : `${resource}.${group}`;
  return `${verb} ${what}${namespace === undefined ? '' : ` in namespace ${namespace}`}`;
}

/** Returns a line for each field that breaks a rule of its kind, without the API server's words around it. */
export function invalidFields(error: ApiError): string[] {
  const causes = error.details?.causes ?? [];
  if (causes.length === 0) return [`- ${error.message}`];
  // Kubernetes' own rule of names says less than that of the CRD, which is told as well.
  const told = causes.filter(
    ({ message = '' }) => causes.length === 1 || !message.includes('regex used for validation'),
  );
  return told.map(({ field, message }) => {
    const text = (message ?? '').replace(/^Invalid value: "[^"]*": /, '').replace(/^Invalid value: /, '');
    return field === undefined || field === '' || field === '<nil>' ? `- ${text}` : `- ${field}: ${text}`;
  });
}
