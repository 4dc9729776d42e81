/** What the page knows, and how each event of the gateway changes it. */
import type { DeploymentEvents, Detail, Live, Summary } from '../../gateway/view/shapes.ts';
import type { ServerSentEvent } from './sse.ts';

/** What charts reach back. */
export const HISTORY_SECONDS = 900;

export interface View {
  /** By id; undefined until the first list. */
  readonly deployments: ReadonlyMap<string, Summary> | undefined;
  /** Of the deployment that is watched. */
  readonly detail: Detail | undefined;
  /** Of the deployment that is watched, oldest first; of the last 15 minutes. */
  readonly samples: readonly Live[];
}

export const EMPTY_VIEW: View = { deployments: undefined, detail: undefined, samples: [] };

/**
 * Returns the view after an event; `watched` is the id whose detail is followed: words about another are late and ignored.
 * An event of a later gateway is ignored, too. Throws where the data are not JSON.
 */
export function withEvent(view: View, { name, data }: ServerSentEvent, watched: string | undefined): View {
  const change = CHANGES[name as keyof DeploymentEvents] as Change | undefined;
  return change === undefined ? view : change(view, JSON.parse(data), watched);
}

/** Returns the detail with its newest figures: when nothing else changes they come with the list alone. */
export function detailIn({ deployments, detail }: View): Detail | undefined {
  const summary = detail && deployments?.get(detail.id);
  return detail && summary ? { ...detail, live: summary.live } : detail;
}

type Change<Data = unknown> = (view: View, data: Data, watched: string | undefined) => View;

const CHANGES: { [Name in keyof DeploymentEvents]: Change<DeploymentEvents[Name]> } = {
  list: (view, { data }) => ({ ...view, deployments: new Map(data.map((one) => [one.id, one])) }),
  changed: (view, { data }) => {
    const deployments = new Map(view.deployments);
    for (const one of data) deployments.set(one.id, one);
    return { ...view, deployments };
  },
  removed: (view, { ids }) => {
    const deployments = new Map(view.deployments);
    for (const id of ids) deployments.delete(id);
    return { ...view, deployments };
  },
  detail: (view, detail, watched) => (detail.id === watched ? { ...view, detail } : view),
  history: (view, { id, samples }, watched) => (id === watched ? { ...view, samples: recent(samples) } : view),
  sample: (view, { id, sample }, watched) =>
    id === watched ? { ...view, samples: recent(withSample(view.samples, sample)) } : view,
};

/** Closer samples than this, in seconds, are one: charts show no more, and the page must not grow by a gateway in a hurry. */
const CLOSEST_SECONDS = 0.5;

function withSample(samples: readonly Live[], sample: Live): readonly Live[] {
  const before = samples.at(-2);
  const isClose = before !== undefined && sample.time - before.time < CLOSEST_SECONDS;
  return [...(isClose ? samples.slice(0, -1) : samples), sample];
}

function recent(samples: readonly Live[]): readonly Live[] {
  const last = samples.at(-1);
  if (last === undefined) return samples;
  const first = samples.findIndex(({ time }) => time >= last.time - HISTORY_SECONDS);
  return first === 0 ? samples : samples.slice(first);
}
