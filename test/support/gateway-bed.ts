/** Engines and gateways that end with the test that started them; importing this registers the clean-up. */
import { connect, type Socket } from 'node:net';
import { afterEach, expect } from '@jest/globals';
import type { UsageRow } from '../../src/channel/usage-report.ts';
import type { GatewayLimits } from '../../src/gateway/limits.ts';
import { startEngine, startGateway, type FakeDeployment, type FakeEngine, type RunningGateway } from './gateway.ts';

export const CHAT = '/v1/chat/completions';

const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Starts an engine that answers as told. */
export async function engine(...parameters: Parameters<typeof startEngine>): Promise<FakeEngine> {
  const started = await startEngine(...parameters);
  cleanups.push(() => started.close());
  return started;
}

/** Starts a gateway that serves the one deployment. */
export async function gatewayFor(
  deployment: FakeDeployment,
  limits: Partial<GatewayLimits> = {},
): Promise<RunningGateway> {
  const started = await startGateway([deployment], limits);
  cleanups.push(() => started.close());
  return started;
}

/** Opens a bare connection to a gateway, for what no HTTP client would do. */
export function connectTo(gateway: RunningGateway): Socket {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  cleanups.push(() => void socket.destroy());
  return socket;
}

/** Returns the only row of what was used. */
export function onlyUsed({ ledger }: RunningGateway): UsageRow {
  const rows = [...ledger.pending(Date.now())].flatMap((report) => report.rows);
  expect(rows).toHaveLength(1);
  return rows[0] as UsageRow;
}
