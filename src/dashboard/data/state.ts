/** The state of a deployment in a word. */
import type { Replica, Summary } from '../../gateway/view/shapes.ts';

/** How it stands, for colour and shape; the word says it, too. */
export type Tone = 'good' | 'working' | 'warning' | 'bad' | 'off';

export interface State {
  readonly word: string;
  readonly tone: Tone;
}

/** What every replica goes through on its way. */
const ON_THE_WAY: readonly string[] = ['Resolving', 'Scheduling', 'Downloading', 'Loading', 'Waking', 'Draining'];

/** Returns the state by the condition Ready and the replicas behind it. */
export function stateOf({ ready, reason, replicas }: Pick<Summary, 'ready' | 'reason' | 'replicas'>): State {
  if (reason === 'Suspended') return { word: 'Stopped', tone: 'off' };
  if (ready === 'True') {
    if (replicas.desired === 0 && replicas.ready === 0) return { word: 'At zero', tone: 'off' };
    return replicas.failed > 0 ? { word: 'Degraded', tone: 'warning' } : { word: 'Serving', tone: 'good' };
  }
  if (replicas.ready > 0) {
    return ON_THE_WAY.includes(reason) ? { word: 'Serving', tone: 'good' } : { word: 'Degraded', tone: 'warning' };
  }
  if (ON_THE_WAY.includes(reason)) return { word: 'Starting', tone: 'working' };
  return ready === 'Unknown' ? { word: 'Unknown', tone: 'working' } : { word: 'Not serving', tone: 'bad' };
}

/** Returns the reason where it says more than the word of the state; undefined where it is that word. */
export function reasonBeside({ word }: State, reason: string): string | undefined {
  return reason === word ? undefined : reason;
}

const REPLICA_TONES: Readonly<Record<Replica['state'], Tone>> = {
  Ready: 'good',
  Starting: 'working',
  Draining: 'off',
  Failed: 'bad',
};

/** Returns the state of a replica. */
export function replicaState({ state }: Pick<Replica, 'state'>): State {
  return { word: state, tone: REPLICA_TONES[state] };
}

/** Whether a condition's status is the one that is hoped for; ScalingLimited is the one that is better False. */
export function conditionTone({ type, status }: { type: string; status: string }): Tone {
  if (status === 'Unknown') return 'working';
  if (type === 'ScalingLimited') return status === 'True' ? 'warning' : 'good';
  return status === 'True' ? 'good' : 'bad';
}

const TONES: readonly Tone[] = ['bad', 'warning', 'working', 'good', 'off'];

/** Returns a rank for sorting: what needs a person comes first. */
export function urgency(tone: Tone): number {
  return TONES.indexOf(tone);
}
