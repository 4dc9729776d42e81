/** Plots of lines over time, as SVG. */

export interface Line {
  name: string;
  /** Evenly spaced; NaN leaves a gap. */
  values: readonly number[];
}

export interface Panel {
  title: string;
  lines: readonly Line[];
  /** A horizontal line. */
  mark?: number;
  /** Values above this are cut off. */
  most?: number;
}

const WIDTH = 960;
const PANEL_HEIGHT = 220;
const LEFT = 60;
const RIGHT = 170;
const TOP = 34;
const BOTTOM = 26;
const LEGEND_STEP = 17;
const TICKS = 4;
/** Told apart by people who see few colours, too. */
const COLOURS = ['#0072b2', '#000000', '#d55e00', '#e69f00', '#009e73', '#56b4e9', '#cc79a7', '#8c8c00', '#999999'];

/** Returns panels below each other, over the same time; `unit` names what one value stands for. */
export function plot(title: string, unit: string, panels: readonly Panel[]): string {
  const height = panels.length * PANEL_HEIGHT + 24;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">`,
    '<style>text{font:12px sans-serif}.t{font-weight:bold}.a{stroke:#ccc}.m{stroke:#b00;stroke-dasharray:4 3}</style>',
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="${LEFT}" y="16" class="t">${escapeXml(title)}</text>`,
    ...panels.flatMap((panel, index) => drawPanel(panel, index * PANEL_HEIGHT + 24, unit)),
    '</svg>',
    '',
  ].join('\n');
}

function drawPanel({ title, lines, mark, most = Infinity }: Panel, offset: number, unit: string): string[] {
  const top = offset + TOP;
  const bottom = offset + PANEL_HEIGHT - BOTTOM;
  const values = lines.flatMap((line) => line.values.filter((value) => Number.isFinite(value)));
  const highest = niceCeiling(Math.min(most, Math.max(mark ?? 0, ...values, 1e-9)));
  const count = Math.max(1, ...lines.map((line) => line.values.length));
  const x = (at: number): number => LEFT + (at / count) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => bottom - (Math.min(value, highest) / highest) * (bottom - top);
  const ticks = Array.from({ length: TICKS + 1 }, (_, tick) => (highest * tick) / TICKS);
  return [
    `<text x="${LEFT}" y="${top - 8}">${escapeXml(title)}</text>`,
    ...ticks.flatMap((tick) => [
      `<line class="a" x1="${LEFT}" x2="${x(count)}" y1="${round(y(tick))}" y2="${round(y(tick))}"/>`,
      `<text x="${LEFT - 6}" y="${round(y(tick) + 4)}" text-anchor="end">${Number(tick.toPrecision(3))}</text>`,
    ]),
    ...Array.from({ length: TICKS + 1 }, (_, tick) => {
      const at = Math.round((count * tick) / TICKS);
      return `<text x="${round(x(at))}" y="${bottom + 16}" text-anchor="middle">${at} ${unit}</text>`;
    }),
    ...(mark === undefined
      ? []
      : [`<line class="m" x1="${LEFT}" x2="${x(count)}" y1="${round(y(mark))}" y2="${round(y(mark))}"/>`]),
    // The first is drawn last, over the others.
    ...lines
      .map(
        ({ values: points }, index) =>
          `<path d="${pathOf(points, x, y)}" fill="none" stroke="${colourOf(index)}" stroke-width="${index === 0 ? 2.2 : 1.2}"/>`,
      )
      .toReversed(),
    ...lines.flatMap(({ name }, index) => legendOf(name, index, top + 6 + index * LEGEND_STEP)),
  ];
}

function legendOf(name: string, index: number, y: number): string[] {
  const x = WIDTH - RIGHT + 12;
  return [
    `<line x1="${x}" x2="${x + 18}" y1="${y - 4}" y2="${y - 4}" stroke="${colourOf(index)}" stroke-width="3"/>`,
    `<text x="${x + 24}" y="${y}">${escapeXml(name)}</text>`,
  ];
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? 'black';
}

function pathOf(values: readonly number[], x: (at: number) => number, y: (value: number) => number): string {
  let isDrawing = false;
  return values
    .flatMap((value, at) => {
      if (!Number.isFinite(value)) {
        isDrawing = false;
        return [];
      }
      const command = isDrawing ? 'L' : 'M';
      isDrawing = true;
      return [`${command}${round(x(at + 0.5))} ${round(y(value))}`];
    })
    .join('');
}

/** Returns the least of 1, 2, 2.5, 4, 5, 6, 8 and 10 times a power of ten that is not below the value. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 2.5, 4, 5, 6, 8].find((step) => step * power >= value) ?? 10);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
