/** What Infer is to reach, and whether it does. */
import { cellText, percent } from './report-text.ts';
import { INFER, isRival, type Aggregates, type Excess } from './score.ts';

interface Goal {
  isMet: boolean;
  text: string;
}

const MOST_EXCESS = 0.15;
const LEAST_ATTAINED = 0.9;
const MOST_BY_WRONG_TARGET = 0.15;
const MOST_CHANGES_TO_HPA = 0.5;
const WHILE_STARTING = 'more than 5 % of the requests came while replicas started or none served, and were late';

/** Returns a line for each goal, with what was measured. */
export function goalLines(aggregates: Aggregates): string {
  return [
    meanGoal(aggregates),
    intervalGoal(aggregates),
    excessGoal(aggregates),
    attainmentGoal(aggregates),
    wrongTargetGoal(aggregates),
    changesGoal(aggregates),
  ]
    .map(({ isMet, text }) => `- ${isMet ? 'met' : '**missed**'}: ${text}.`)
    .join('\n');
}

function meanGoal({ policies }: Aggregates): Goal {
  const own = policies.find(({ policy }) => policy === INFER)?.meanJ ?? NaN;
  const best = policies.find(({ policy }) => isRival(policy));
  const rival = best?.meanJ ?? NaN;
  return {
    isMet: own < rival,
    text: `mean J below every rival's: ${own.toFixed(3)}, the best rival's (${best?.policy}) ${rival.toFixed(3)}`,
  };
}

function intervalGoal({ comparisons }: Aggregates): Goal {
  const notBetter = comparisons.filter(({ difference }) => !(difference.high < 0)).map(({ rival }) => rival);
  const isMet = notBetter.length === 0;
  return {
    isMet,
    text: `the 95 % interval of the difference to each rival below 0${isMet ? '' : `; not to ${notBetter.join(' · ')}`}`,
  };
}

function excessGoal({ worstExcess, worstExcessOfSeedMeans }: Aggregates): Goal {
  return {
    isMet: (worstExcess?.j ?? NaN) <= MOST_EXCESS,
    text:
      `no cell more than ${MOST_EXCESS} above its best rival: ${excessText(worstExcess)}; ` +
      `in the means over seeds ${excessText(worstExcessOfSeedMeans)}`,
  };
}

function excessText(excess: Excess | undefined): string {
  return excess === undefined ? 'none' : `${excess.j.toFixed(2)} above ${excess.rival} in ${cellText(excess.cell)}`;
}

function attainmentGoal({ policies, missed }: Aggregates): Goal {
  const share = policies.find(({ policy }) => policy === INFER)?.attainedShare ?? NaN;
  return {
    isMet: share >= LEAST_ATTAINED,
    text:
      `the target attained in ${percent(LEAST_ATTAINED)} of the cells: in ${percent(share)}` +
      (missed.cells === 0 ? '' : `; in ${missed.whileStarting} of the ${missed.cells} others ${WHILE_STARTING}`),
  };
}

function wrongTargetGoal({ wrongTargetRps: { tooHigh, tooLow } }: Aggregates): Goal {
  return {
    isMet: Math.max(tooHigh, tooLow) <= MOST_BY_WRONG_TARGET,
    text:
      `a targetRps wrong by 3 raises J by at most ${MOST_BY_WRONG_TARGET}: ` +
      `by ${tooHigh.toFixed(2)} where it is too high, ${tooLow.toFixed(2)} too low`,
  };
}

function changesGoal({ changesToHpa }: Aggregates): Goal {
  return {
    isMet: changesToHpa <= MOST_CHANGES_TO_HPA,
    text: `at most half of HPA's changes: ${changesToHpa.toFixed(2)} of them`,
  };
}
