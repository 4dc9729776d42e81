/** Pure: what is said of a gateway's errors, and what to do next. */
import { describeError } from '../../kube/errors.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CliFailure } from '../failure.ts';
import { ApiFailure, GatewayUnreachable } from './failures.ts';

/** By the error's code; `next` is told what the command was about. */
const BY_CODE: Readonly<Record<string, readonly [next: string, exitCode: ExitCode]>> = {
  invalid_api_key: [
    'It may have been revoked, or be of another cluster. Make a new one: infer keys create NAME --save, or set INFER_API_KEY.',
    EXIT.failed,
  ],
  missing_scope: ['Make a key that has it: infer keys create NAME --scope inference,files,view --save.', EXIT.failed],
  model_not_found: [
    'See which deployments there are: infer models. A key of another namespace reaches others.',
    EXIT.notFound,
  ],
  model_suspended: ['Start it: infer start ID.', EXIT.notReady],
  model_not_ready: ['See why: infer status ID.', EXIT.notReady],
  model_unavailable: ['See how its replicas stand: infer status ID.', EXIT.notReady],
  queue_full: [
    'See how its replicas stand: infer status ID. Raise maxReplicas where they are all busy.',
    EXIT.notReady,
  ],
  batch_not_set_up: ['See docs/batch.md of Infer on how to install it.', EXIT.failed],
  storage_full: [
    'Delete files that are not needed any more, or ask who runs Infer to make the claim larger.',
    EXIT.failed,
  ],
};

/** Returns the failure that tells a person of a gateway's error; undefined for any other error. */
export function explainGateway(error: unknown): CliFailure | undefined {
  if (error instanceof GatewayUnreachable) return unreachable(error);
  if (!(error instanceof ApiFailure)) return undefined;
  const known = error.code === null ? undefined : BY_CODE[error.code];
  const [next, exitCode] = known ?? byStatus(error.status);
  return new CliFailure(sentence(error.message), next, exitCode, { cause: error });
}

function unreachable(error: GatewayUnreachable): CliFailure {
  if (error.cause instanceof CliFailure) return error.cause;
  return new CliFailure(
    `${describeError(error)}.`,
    'Is it running? kubectl -n infer-system get pods. Name another by --gateway URL or INFER_BASE_URL.',
    EXIT.unreachable,
    { cause: error },
  );
}

function byStatus(status: number): readonly [string, ExitCode] {
  if (status < 400) return ['Name the gateway itself by --gateway URL or INFER_BASE_URL.', EXIT.unreachable];
  if (status === 404) return ['Check the name or id.', EXIT.notFound];
  if (status === 429 || status >= 500) return ['Try again in a moment.', EXIT.failed];
  return ['Change the request and try again.', EXIT.failed];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
