/** Pure: the verdicts on the scaler itself. */
import type { Standing } from '../autoscaler/standing.ts';
import type { Verdict } from './verdicts.ts';

/** Does the scaler decide on the number of replicas? */
export function scalingActiveVerdict({ reason, message }: Standing): Verdict {
  if (reason === 'Suspended' || reason === 'ReplicasContested') return { status: 'False', reason, message };
  if (reason !== 'SignalStale') {
    return { status: 'True', reason: 'Active', message: 'The number of replicas follows the load.' };
  }
  return {
    status: 'False',
    reason,
    message:
      'The number of replicas is held: not every gateway was heard of. See whether the pods of infer-gateway are ready, and the log of infer-operator.',
  };
}

const LIMITS: Record<NonNullable<Standing['limitedBy']>, string> = {
  AtMax: 'The load asks for more than spec.maxReplicas. Raise maxReplicas if there are GPUs for it.',
  WaitingForGPU:
    'There is no room for all the replicas that the load asks for. Free a GPU, add a node or raise the quota; see ReplicasReady.',
  LatencyTargetUnattainable:
    'More replicas do not bring the latency below spec.scaling.targetLatencyP95Ms. Raise the target, or choose a faster hardware profile, a smaller model or shorter answers.',
};

/** Is there less than the load asks for? */
export function scalingLimitedVerdict({ limitedBy }: Standing): Verdict {
  if (limitedBy === undefined) {
    return { status: 'False', reason: 'NotLimited', message: 'The load asks for no more than there may be.' };
  }
  return { status: 'True', reason: limitedBy, message: LIMITS[limitedBy] };
}
