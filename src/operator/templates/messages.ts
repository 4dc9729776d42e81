/** Pure: what frozen templates add to the messages of conditions. */
import type { Verdict } from '../verdicts.ts';
import type { Standing, TemplatePlan } from './plan-template.ts';

/**
 * Returns the verdict `progressing`, with what a failure means for the other deployments of `profile`: they wait until it is
 * mended.
 */
export function holdingUp(progressing: Verdict, standing: Standing | undefined, profile: string): Verdict {
  if (progressing.status !== 'False' || standing !== 'holds') return progressing;
  const others = `It took the newest pod template by itself: no other deployment of profile ${profile} does so until it serves, or its spec is changed.`;
  return { ...progressing, message: `${progressing.message} ${others}` };
}

/** Returns the verdict `available`; where nothing serves and nothing moves, it says that something newer might help. */
export function hintingAtUpdate(available: Verdict, progressing: Verdict, update: TemplatePlan['update']): Verdict {
  if (available.status !== 'False' || progressing.status !== 'False' || update === undefined) return available;
  const hint = 'Something newer is there, see status.update; set spec.restartedAt to the present time to take it.';
  return { ...available, message: `${available.message} ${hint}` };
}
