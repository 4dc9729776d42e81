/** Three hours of load that varies as a trace of one hour does not, made of the request sizes of a trace. */
import { nextArrival, seededRandom } from '../../../test/load/random.ts';
import type { SimulatedRequest, Workload } from '../types.ts';
import { WARM_UP_MS } from './replay.ts';

const MINUTE_MS = 60_000;
const SCORED_MS = 180 * MINUTE_MS;

/** Prompt and answer of a request. */
export type RequestSize = Pick<SimulatedRequest, 'promptTokens' | 'outputTokens'>;

export interface WaveOptions {
  sizes: readonly RequestSize[];
  /** Requests per second, on average over the scored time. */
  meanRps: number;
  seed: number;
}

/** The rate over time, up to a factor; the time is in minutes of what is scored and below 0 while warming up. */
type Shape = (minute: number) => number;

interface Wave {
  shape: (random: () => number) => Shape;
  /** For the size of a request: 0 takes the smaller of two drawn at random, 1 the larger, 0.5 either. */
  tilt?: (minute: number) => number;
  /** What the tokens of a request are multiplied by. */
  size?: (minute: number) => number;
  minReplicas?: number;
}

const WAVES = {
  /** A day in three hours: the peak is seven times the night. */
  day: { shape: (random) => periodic(random, (turn) => 1 - 0.75 * Math.cos(2 * Math.PI * turn)) },
  /** Evenly from a quarter to seven quarters of the mean. */
  ramp: { shape: () => (minute) => 0.25 + (1.5 * Math.max(0, minute)) / 180 },
  /** Up to 3.5 times at once, later down to less than half. */
  step: {
    shape: (random) => {
      const up = 50 + 20 * random();
      const down = up + 50 + 20 * random();
      return (minute) => (minute < up ? 0.5 : minute < down ? 1.75 : 0.75);
    },
  },
  /** Four times the load for six minutes, three times. */
  spike: {
    shape: (random) => {
      const starts = [15, 75, 135].map((earliest) => earliest + 30 * random());
      return (minute) => (starts.some((start) => minute >= start && minute < start + 6) ? 4 : 1);
    },
  },
  /** Twenty minutes or so of load, and twenty or so of none. */
  'on-off': {
    shape: (random) => {
      const switches = [-15];
      while ((switches.at(-1) ?? 0) < 180) switches.push((switches.at(-1) ?? 0) + 16 + 8 * random());
      return (minute) => switches.filter((at) => at <= minute).length % 2;
    },
    minReplicas: 0,
  },
  /** Constant in requests; the requests grow for an hour and a half and shrink again. */
  drift: { shape: () => () => 1, tilt: (minute) => 1 - Math.abs(Math.max(0, minute) - 90) / 90 },
  /** For an hour requests are a quarter as large and four times as many, from one moment to the next. */
  shift: {
    shape: () => (minute) => (isMiddleHour(minute) ? 4 : 1),
    size: (minute) => (isMiddleHour(minute) ? 0.25 : 1),
  },
  /** Bursts of half a minute on average at three times the mean, and a minute and a half at a third of it. */
  bursty: {
    shape: (random) => {
      const switches = [-15];
      for (let isBurst = false; (switches.at(-1) ?? 0) < 180; isBurst = !isBurst) {
        switches.push((switches.at(-1) ?? 0) + nextArrival(1 / (isBurst ? 0.5 : 1.5), random));
      }
      let at = 0;
      return (minute) => {
        if (minute < (switches[at] ?? 0)) at = 0;
        while ((switches[at + 1] ?? Infinity) <= minute) at++;
        return at % 2 === 1 ? 3 : 1 / 3;
      };
    },
  },
} satisfies Record<string, Wave>;

export type WaveName = keyof typeof WAVES;

/** Returns the names of all waves. */
export function waveNames(): WaveName[] {
  return Object.keys(WAVES) as WaveName[];
}

/** Returns a wave: three hours that are scored after 15 minutes that are not. The same seed gives the same requests. */
export function wave(name: WaveName, { sizes, meanRps, seed }: WaveOptions): Workload {
  const { shape, tilt, size, minReplicas = 1 }: Wave = WAVES[name];
  const random = seededRandom(seed);
  const relative = shape(random);
  const samples = Array.from({ length: 180 * 60 }, (_, second) => relative(second / 60));
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
  const highest = samples.reduce((most, value) => Math.max(most, value), 0);
  const requests: SimulatedRequest[] = [];
  const endMs = WARM_UP_MS + SCORED_MS;
  // Arrivals at the highest rate, thinned to the rate of the moment.
  const perMs = (meanRps * highest) / mean / 1000;
  for (let atMs = nextArrival(perMs, random); atMs < endMs; atMs += nextArrival(perMs, random)) {
    const minute = (atMs - WARM_UP_MS) / MINUTE_MS;
    if (random() * highest >= relative(minute)) continue;
    const drawn = drawSize(sizes, tilt?.(minute), random);
    requests.push({ arrivalMs: atMs, ...multiplied(drawn, size?.(minute) ?? 1) });
  }
  return { name, requests, warmUpMs: WARM_UP_MS, endMs, minReplicas };
}

function isMiddleHour(minute: number): boolean {
  return minute >= 60 && minute < 120;
}

/** No request is without a prompt or an answer. */
function multiplied({ promptTokens, outputTokens }: RequestSize, factor: number): RequestSize {
  const tokens = (count: number): number => Math.max(1, Math.round(factor * count));
  return { promptTokens: tokens(promptTokens), outputTokens: tokens(outputTokens) };
}

function periodic(random: () => number, shape: (turn: number) => number): Shape {
  const phase = random();
  return (minute) => shape(minute / 180 + phase);
}

function drawSize(sizes: readonly RequestSize[], tilt: number | undefined, random: () => number): RequestSize {
  const draw = () => sizes[Math.floor(random() * sizes.length)] as RequestSize;
  const one = draw();
  if (tilt === undefined) return one;
  const other = draw();
  const [smaller, larger] = workOf(one) < workOf(other) ? [one, other] : [other, one];
  return random() < tilt ? larger : smaller;
}

/** A token that is made weighs about as much as nine that are read. */
function workOf({ promptTokens, outputTokens }: RequestSize): number {
  return promptTokens + 9 * outputTokens;
}
