/**
 * Who takes part beside Infer: each rival with what its project ships, given the user's two targets where it has a knob
 * for them, and with a grid of its main knobs, as large for one as for the other.
 */
import { constant } from './rivals/constant.ts';
import { DEFAULT_DOWN_WINDOW_MS, EXAMPLE_IN_FLIGHT, hpaInFlight, hpaRequests } from './rivals/hpa.ts';
import { KPA_DEFAULTS, kpaConcurrency, kpaRequests } from './rivals/kpa.ts';
import { KUBEAI_DEFAULTS, kubeAi } from './rivals/kubeai.ts';
import { WVA_DEFAULTS, wva } from './rivals/wva.ts';
import type { CellTargets, Policy } from './types.ts';

export interface Situation {
  targets: CellTargets;
  /** Requests per second of the scored minute with most of them: what a person sees in last week's graph. */
  peakRps: number;
}

/** One point of a grid: values of knobs, absolute, so that they can be carried to another workload. */
export type Settings = Readonly<Record<string, number>>;

export interface Rival {
  name: string;
  outOfTheBox(situation: Situation): Policy;
  /** GRID_SIZE points around what the targets of this situation suggest. */
  grid(situation: Situation): Settings[];
  create(name: string, settings: Settings, situation: Situation): Policy;
}

export const GRID_SIZE = 12;

/** Times Little's law at both targets: the requests in a replica that does `targetRps` in the target latency each. */
const IN_FLIGHT_FACTORS = [0.25, 0.35, 0.5, 0.7, 1, 1.4];
const RPS_FACTORS = [0.4, 0.55, 0.7, 0.85, 1, 1.2];
const STATIC_FACTORS = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2];
const MINUTE_MS = 60_000;

function inFlightAtTargets({ targets }: Situation): number {
  return (targets.targetRps * targets.targetLatencyMs) / 1_000;
}

/** Returns each pair of a value and a window. */
function pairs(values: readonly number[], windows: readonly number[]): [number, number][] {
  return values.flatMap((value) => windows.map((window): [number, number] => [value, window]));
}

function read<Key extends string>(settings: Settings, ...keys: Key[]): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, settings[key] ?? NaN])) as Record<Key, number>;
}

function staticCount(rps: number, { targets, peakRps }: Situation): number {
  const count = Math.ceil(peakRps / rps);
  return Math.min(targets.maxReplicas, Math.max(1, targets.minReplicas, count));
}

function hpaSettings(settings: Settings): { target: number; downWindowMs: number } {
  return read(settings, 'target', 'downWindowMs');
}

function kpaSettings(settings: Settings): { target: number; utilisation: number; stableWindowMs: number } {
  return { ...read(settings, 'target', 'stableWindowMs'), utilisation: KPA_DEFAULTS.utilisation };
}

const hpaWindows = [MINUTE_MS, DEFAULT_DOWN_WINDOW_MS];
const kpaWindows = [KPA_DEFAULTS.stableWindowMs, 5 * MINUTE_MS];

export const RIVALS: readonly Rival[] = [
  {
    name: 'HPA in-flight',
    outOfTheBox: () =>
      hpaInFlight('HPA in-flight', { target: EXAMPLE_IN_FLIGHT, downWindowMs: DEFAULT_DOWN_WINDOW_MS }),
    grid: (situation) =>
      pairs(IN_FLIGHT_FACTORS, hpaWindows).map(([factor, downWindowMs]) => ({
        target: factor * inFlightAtTargets(situation),
        downWindowMs,
      })),
    create: (name, settings) => hpaInFlight(name, hpaSettings(settings)),
  },
  {
    name: 'HPA requests',
    outOfTheBox: ({ targets }) =>
      hpaRequests('HPA requests', { target: targets.targetRps, downWindowMs: DEFAULT_DOWN_WINDOW_MS }),
    grid: ({ targets }) =>
      pairs(RPS_FACTORS, hpaWindows).map(([factor, downWindowMs]) => ({
        target: factor * targets.targetRps,
        downWindowMs,
      })),
    create: (name, settings) => hpaRequests(name, hpaSettings(settings)),
  },
  {
    name: 'KPA concurrency',
    outOfTheBox: () => kpaConcurrency('KPA concurrency', { ...KPA_DEFAULTS, target: KPA_DEFAULTS.concurrency }),
    grid: (situation) =>
      pairs(IN_FLIGHT_FACTORS, kpaWindows).map(([factor, stableWindowMs]) => ({
        target: (factor * inFlightAtTargets(situation)) / KPA_DEFAULTS.utilisation,
        stableWindowMs,
      })),
    create: (name, settings) => kpaConcurrency(name, kpaSettings(settings)),
  },
  {
    name: 'KPA requests',
    outOfTheBox: ({ targets }) => kpaRequests('KPA requests', { ...KPA_DEFAULTS, target: targets.targetRps }),
    grid: ({ targets }) =>
      pairs(RPS_FACTORS, kpaWindows).map(([factor, stableWindowMs]) => ({
        target: (factor * targets.targetRps) / KPA_DEFAULTS.utilisation,
        stableWindowMs,
      })),
    create: (name, settings) => kpaRequests(name, kpaSettings(settings)),
  },
  {
    name: 'KubeAI',
    outOfTheBox: () => kubeAi('KubeAI', KUBEAI_DEFAULTS),
    grid: (situation) =>
      pairs(IN_FLIGHT_FACTORS, [MINUTE_MS, KUBEAI_DEFAULTS.windowMs]).map(([factor, windowMs]) => ({
        targetRequests: factor * inFlightAtTargets(situation),
        windowMs,
      })),
    create: (name, settings) => kubeAi(name, read(settings, 'targetRequests', 'windowMs')),
  },
  {
    name: 'WVA',
    outOfTheBox: () => wva('WVA', WVA_DEFAULTS),
    grid: () =>
      pairs([0.1, 0.2, 0.3, 0.45, 0.6, 0.7], [1, WVA_DEFAULTS.queueSpareTrigger]).map(
        ([kvSpareTrigger, queueSpareTrigger]) => ({ kvSpareTrigger, queueSpareTrigger }),
      ),
    create: (name, settings) =>
      wva(name, { ...WVA_DEFAULTS, ...read(settings, 'kvSpareTrigger', 'queueSpareTrigger') }),
  },
  {
    name: 'static peak',
    outOfTheBox: (situation) => constant('static peak', staticCount(situation.targets.targetRps, situation)),
    grid: ({ targets }) => STATIC_FACTORS.map((factor) => ({ rps: factor * targets.targetRps })),
    create: (name, settings, situation) => constant(name, staticCount(settings['rps'] ?? NaN, situation)),
  },
];

/** Returns the name of a rival with settings that were found on another workload. */
export function tunedName(rival: Rival): string {
  return `${rival.name}, tuned elsewhere`;
}

/** Returns the two that do nothing, which must lose. */
export function constants({ targets }: Situation): Policy[] {
  return [
    constant('constant minimum', Math.max(1, targets.minReplicas)),
    constant('constant maximum', targets.maxReplicas),
  ];
}
