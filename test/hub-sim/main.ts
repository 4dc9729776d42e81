import { parseFaults } from './faults.ts';
import { shippedRepositories } from './repositories.ts';
import { startHub } from './server.ts';

const environment = process.env;

/** @throws Error naming the variable that is not a number. */
function number(name: string, fallback: number): number {
  const text = environment[name];
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${name} must be a number of at least 0, not "${text}".`);
  return value;
}

const hub = await startHub({
  repositories: shippedRepositories(number('HUB_SHARD_MIB', 2)),
  host: environment['HUB_HOST'] ?? '0.0.0.0',
  port: number('HUB_PORT', 8080),
  cdnPort: number('HUB_CDN_PORT', 8081),
  pageSize: number('HUB_PAGE_SIZE', 1_000),
  faults: parseFaults(environment['HUB_FAULTS'] ?? '[]'),
  control: environment['HUB_CONTROL'] === '1',
  ...(environment['HUB_TOKEN'] === undefined ? {} : { token: environment['HUB_TOKEN'] }),
  ...(environment['HUB_CDN_URL'] === undefined ? {} : { cdnUrl: environment['HUB_CDN_URL'] }),
});
console.log(`Hub stand-in on ${hub.url}, large files on ${hub.cdnUrl}`);

const stop = () => void hub.stop().then(() => process.exit(0));
process.once('SIGTERM', stop).once('SIGINT', stop);
