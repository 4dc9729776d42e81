/** A process with the gateway's data path, its real check of keys and its real choice of replicas, before ENGINE. */
import { pino } from 'pino';
import { Registry as MetricsRegistry } from 'prom-client';
import { createAuthenticator } from '../../src/gateway/auth/authenticator.ts';
import { createPicker } from '../../src/gateway/balancer/choose.ts';
import { LoadTracker } from '../../src/gateway/load/tracker.ts';
import { UsageLedger } from '../../src/gateway/metering/ledger.ts';
import { Meter } from '../../src/gateway/metering/meter.ts';
import { MeterMetrics } from '../../src/gateway/metering/metrics.ts';
import { GatewayMetrics } from '../../src/gateway/metrics.ts';
import { createGateway } from '../../src/gateway/server.ts';
import type { Deployment, Replica } from '../../src/gateway/types.ts';
import { announcePort } from './process-port.ts';

const { ENGINE: origin = '', KEY_ID: keyId = '', KEY_HASH: hash = '' } = process.env;
const replica: Replica = {
  podUid: 'engine',
  origin,
  serving: true,
  draining: false,
  inFlight: 0,
  batchInFlight: 0,
  outstandingTokens: 0,
};
const deployment: Deployment = {
  namespace: 'bench',
  name: 'bench',
  uid: 'bench',
  created: 1_790_000_000,
  holdTimeoutSeconds: 50,
  suspended: false,
  removed: false,
  replicas: () => [replica],
  readyInSeconds: () => undefined,
  onReplicasChange: () => () => undefined,
};
const served = { id: 'bench', deployment, engineModel: 'bench', parent: undefined };
const key = { metadata: { namespace: 'bench', name: 'bench' }, spec: { keyId, hash } };

const metrics = new MetricsRegistry();
const meter = new Meter({
  metrics: new MeterMetrics({ registry: metrics, keyExists: () => true }),
  ledger: new UsageLedger(() => undefined),
  now: () => Date.now(),
});
const gateway = createGateway({
  registry: {
    resolve: (_, model) => (model === served.id ? served : undefined),
    find: () => deployment,
    list: () => [served],
  },
  authenticator: createAuthenticator((wanted) => (wanted === keyId ? [key] : [])),
  pick: createPicker(0),
  // As installed; the lines go where nobody reads them.
  logger: pino({ level: 'info' }, pino.destination('/dev/null')),
  metrics: new GatewayMetrics(metrics),
  load: new LoadTracker(),
  meter,
});
announcePort(await gateway.listen(0));
