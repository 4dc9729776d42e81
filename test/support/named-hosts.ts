/**
 * Loaded before a process (`NODE_OPTIONS=--import`): names that TEST_HOSTS gives addresses, as JSON, are known to it beside
 * those of the machine. So a headless Service can be played where there is no cluster DNS.
 */
import promises from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';

const hosts = JSON.parse(process.env['TEST_HOSTS'] ?? '{}') as Record<string, string[]>;
const { lookup } = promises;

promises.lookup = (async (host: string, options: { all: true }) => {
  const addresses = hosts[host];
  return addresses?.map((address) => ({ address, family: 4 })) ?? (await lookup(host, options));
}) as typeof promises.lookup;
syncBuiltinESMExports();
