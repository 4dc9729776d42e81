/** Pure: one problem is told in the same words as long as it lasts, so that status does not change with each try. */
import type { Condition } from '../../kube/conditions.ts';
import type { Problem } from './context.ts';
import { sameButForNumbers } from './messages.ts';

/** As a condition tells it. */
export type ToldProblem = Pick<Problem, 'reason' | 'message'>;

/**
 * Returns `problem` in the words in which `shown` tells it already, where what Kubernetes says now differs only in numbers
 * or tells less.
 */
export function steady(problem: Problem, shown: readonly Condition[] | undefined): ToldProblem;
export function steady(problem: Problem | undefined, shown: readonly Condition[] | undefined): ToldProblem | undefined;
export function steady(problem: Problem | undefined, shown: readonly Condition[] | undefined): ToldProblem | undefined {
  if (problem === undefined) return undefined;
  const { reason, message, quote, likely } = problem;
  const known = likely && shown?.find((condition) => condition.reason === likely);
  if (known) return { reason: likely, message: known.message };
  const told = quote && shown?.find((condition) => condition.reason === reason && tellsSame(condition, problem));
  return { reason, message: told?.message ?? message };
}

function tellsSame({ message: told }: Condition, { message, quote }: Problem): boolean {
  if (quote === undefined || !told.startsWith(quote.after)) return false;
  const rest = (text: string): string => text.slice(quote.after.length);
  return quote.vague === true || sameButForNumbers(rest(told), rest(message));
}
