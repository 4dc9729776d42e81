import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import type { Live } from '../../gateway/view/shapes.ts';
import { describeValues, everyMinute, toColumns } from '../data/chart-data.ts';
import type { ChartSpec, Line } from '../data/charts.ts';
import { formatTime, NOTHING } from '../data/format.ts';
import { useIsDark } from './hooks.ts';
import { createPlot, type Plot } from './plot.ts';

interface ChartProps {
  spec: ChartSpec;
  samples: readonly Live[];
}

/** A chart with a legend that says the values, and the same as a table for those who want words. */
export function Chart({ spec, samples }: ChartProps) {
  const id = useId();
  const { format, lines, title } = spec;
  const picks = useMemo(() => lines.map(({ pick }) => pick), [lines]);
  const { times, columns } = useMemo(() => toColumns(samples, picks), [samples, picks]);
  const [pointed, setPointed] = useState<number | null>(null);
  const place = pointed ?? times.length - 1;
  const summary = lines
    .map(({ label, kind }, index) =>
      kind === 'limit'
        ? limitText(label, columns[index]?.at(-1), format)
        : `${label}: ${describeValues(columns[index] ?? [], format)}`,
    )
    .join('; ');
  return (
    <figure aria-labelledby={id}>
      <figcaption id={id}>{title}</figcaption>
      <ul class="legend">
        {lines.map((line, index) => (
          <li key={line.label}>
            <Stroke kind={line.kind} />
            {line.label} <strong>{valueText(columns[index]?.[place], format)}</strong>
          </li>
        ))}
      </ul>
      <div role="img" aria-label={`${title}. ${summary}.`}>
        <Canvas spec={spec} data={[times, ...columns]} onPoint={setPointed} />
      </div>
      <Values spec={spec} times={times} columns={columns} />
    </figure>
  );
}

function limitText(label: string, value: number | null | undefined, format: (value: number) => string): string {
  return `${label}: ${valueText(value, format)}`;
}

function valueText(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? NOTHING : format(value);
}

function Stroke({ kind }: { kind: Line['kind'] }) {
  return (
    <svg class={`stroke stroke-${kind}`} viewBox="0 0 24 8" aria-hidden="true">
      <path d="M0 4h24" />
    </svg>
  );
}

interface CanvasProps {
  spec: ChartSpec;
  data: uPlot.AlignedData;
  onPoint: (place: number | null) => void;
}

function Canvas({ spec, data, onPoint }: CanvasProps) {
  const ground = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | undefined>(undefined);
  const isDark = useIsDark();
  useEffect(() => {
    if (ground.current === null) return undefined;
    const created = createPlot(ground.current, spec, data, onPoint);
    plot.current = created;
    return () => created.destroy();
  }, [spec, isDark]);
  useEffect(() => plot.current?.setData(data), [data[0], spec]);
  return <div ref={ground} class="plot" />;
}

function Values({ spec, times, columns }: { spec: ChartSpec; times: number[]; columns: (number | null)[][] }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>
        As a table<span class="visually-hidden">: {spec.title}</span>
      </summary>
      {isOpen && (
        // It scrolls, so it must be reached by keyboard.
        <div class="values" tabIndex={0} role="region" aria-label={`${spec.title}, each minute`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {spec.lines.map(({ label }) => (
                  <th key={label} scope="col" class="number">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {everyMinute(times, columns).map(({ time, values }) => (
                <tr key={time}>
                  <th scope="row">{formatTime(time)}</th>
                  {values.map((value, index) => (
                    <td key={spec.lines[index]?.label} class="number">
                      {valueText(value, spec.format)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}
