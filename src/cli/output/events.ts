/** Pure: the columns of events. */
import { lastSeen, timesSeen } from '../cluster/events.ts';
import type { ClusterEvent } from '../cluster/events.ts';
import { age } from './durations.ts';
import type { Column } from './table.ts';

/** Returns the columns of events as seen at `now`. */
export function eventColumns(now: Date): Column<ClusterEvent>[] {
  return [
    { header: 'SEEN', value: (event) => age(lastSeen(event), now) },
    {
      header: 'TYPE',
      value: ({ type }) => type ?? '',
      tone: ({ type }) => (type === 'Warning' ? 'warning' : undefined),
      drop: 1,
    },
    { header: 'REASON', value: ({ reason }) => reason ?? '' },
    { header: 'TIMES', value: (event) => String(timesSeen(event)), align: 'right', drop: 0 },
    {
      header: 'OBJECT',
      value: ({ involvedObject: { kind, name } }) => `${kind?.toLowerCase()}/${name}`,
      cutTo: 20,
      drop: 2,
    },
    { header: 'MESSAGE', value: ({ message }) => message ?? '', cutTo: 30 },
  ];
}
