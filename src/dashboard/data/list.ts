/** Which deployments are shown, and in which order. */
import type { Summary } from '../../gateway/view/shapes.ts';
import { stateOf, urgency } from './state.ts';

export type SortKey = 'id' | 'state' | 'rate' | 'latency' | 'cost';

export interface Sort {
  readonly by: SortKey;
  readonly descending: boolean;
}

/** Numbers first sort from the largest, all else from the first. */
export function nextSort(sort: Sort, by: SortKey): Sort {
  if (sort.by === by) return { by, descending: !sort.descending };
  return { by, descending: by !== 'id' && by !== 'state' };
}

/** Returns those that hold each word of the filter in id, model, profile, state or reason; upper and lower case are the same. */
export function filterDeployments(deployments: Iterable<Summary>, filter: string): Summary[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return [...deployments].filter((deployment) => {
    const { id, model, hardware_profile, reason } = deployment;
    const text = [id, model, hardware_profile, reason, stateOf(deployment).word].join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const VALUES: Readonly<Record<Exclude<SortKey, 'id'>, (deployment: Summary) => number>> = {
  state: (deployment) => urgency(stateOf(deployment).tone),
  rate: ({ live }) => live?.requests_per_second ?? -1,
  latency: ({ live }) => live?.latency_p95_ms ?? -1,
  cost: ({ cost }) => (cost === null ? -1 : Number(cost.per_hour)),
};

/** Returns them in order; those that are equal in it by their id. */
export function sortDeployments(deployments: readonly Summary[], { by, descending }: Sort): Summary[] {
  const sign = descending ? -1 : 1;
  if (by === 'id') return deployments.toSorted((a, b) => sign * compareIds(a, b));
  const value = VALUES[by];
  return deployments.toSorted((a, b) => sign * (value(a) - value(b)) || compareIds(a, b));
}

function compareIds(a: Summary, b: Summary): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Returns `deployments` in the order that `before` had, and what is new after it: rows must not move under a reader's hands. */
export function keepOrder(deployments: readonly Summary[], before: readonly string[]): Summary[] {
  const places = new Map(before.map((id, place) => [id, place]));
  const place = ({ id }: Summary): number => places.get(id) ?? before.length;
  return deployments.toSorted((a, b) => place(a) - place(b));
}
