/** One uPlot as a chart is drawn here. */
import uPlot from 'uplot';
import type { ChartSpec, Line } from '../data/charts.ts';
import { HISTORY_SECONDS } from '../data/view.ts';

export interface Plot {
  setData(data: uPlot.AlignedData): void;
  destroy(): void;
}

const HEIGHT = 150;
/** So that the highest value does not touch the edge. */
const HEADROOM = 1.1;

/** Lines differ by their dashes, too; the legend's strokes in the style sheet are the same. */
const DASHES: Readonly<Record<Line['kind'], number[]>> = { first: [], second: [6, 3], third: [2, 3], limit: [10, 5] };

/** Draws `data` into `ground`, as wide as that is, in the colours that the style sheet has now; `onPoint` tells where the pointer is. */
export function createPlot(
  ground: HTMLElement,
  spec: ChartSpec,
  data: uPlot.AlignedData,
  onPoint: (place: number | null) => void,
): Plot {
  const style = getComputedStyle(ground);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour('muted'),
    grid: { stroke: colour('grid'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  const plot = new uPlot(
    {
      width: Math.max(200, ground.clientWidth),
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, sync: { key: 'detail' }, points: { size: 6 } },
      scales: {
        // The newest sample is at the edge, whatever the reader's clock says.
        x: { time: true, range: (_, __, last) => [last - HISTORY_SECONDS, last] },
        y: { range: (_, __, high) => [0, Math.max(spec.atLeast, (high ?? 0) * HEADROOM)] },
      },
      axes: [
        { ...axis, space: 70, size: 24, values: (_, times) => times.map(clock) },
        { ...axis, size: 56, space: 36, values: (_, values) => values.map(spec.format) },
      ],
      series: [{}, ...spec.lines.map((line) => series(line, spec.isStepped, colour))],
      hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
    },
    data,
    ground,
  );
  const resize = new ResizeObserver(() => {
    const width = Math.max(200, ground.clientWidth);
    if (width !== plot.width) plot.setSize({ width, height: HEIGHT });
  });
  resize.observe(ground);
  return {
    setData: (next) => plot.setData(next),
    destroy() {
      resize.disconnect();
      plot.destroy();
    },
  };
}

function series({ kind }: Line, isStepped: boolean, colour: (name: string) => string): uPlot.Series {
  const stepped = isStepped && uPlot.paths.stepped?.({ align: 1 });
  return {
    stroke: colour(`line-${kind}`),
    width: kind === 'limit' ? 1.25 : 1.75,
    dash: DASHES[kind],
    points: { show: false },
    ...(stepped && { paths: stepped }),
  };
}

function clock(time: number): string {
  return new Date(time * 1000).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
}
