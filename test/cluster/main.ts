/** `make cluster` and `make cluster-down`: node test/cluster/main.ts up | down | env | status. */
import { clusterDown, clusterUp, findCluster } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import { clusterOptions, printExports } from './options.ts';
import { allPrograms } from './programs.ts';
import { UserError } from './user-error.ts';

/** Progress goes to standard error, since `env` is for `eval`. */
function progress(line: string): void {
  console.error(line);
}

async function existing(name: string): Promise<Cluster> {
  const cluster = await findCluster(name);
  if (cluster === undefined)
    throw new UserError(`There is no cluster ${name}: run \`make cluster NAME=${name}\` first.`);
  return cluster;
}

async function printPrograms(cluster: Cluster): Promise<void> {
  for (const program of await allPrograms(cluster)) {
    const pid = await program.pid();
    const state = pid === undefined ? `does not run; see ${program.logFile}` : `runs as process ${pid}`;
    console.log(`${program.name} ${state}`);
  }
}

async function main(command: string): Promise<void> {
  const options = clusterOptions(process.env);
  const { name } = options;
  switch (command) {
    case 'up':
      return printExports(await clusterUp({ ...options, progress }));
    case 'down':
      await clusterDown(name, progress);
      return progress(`the cluster ${name} is gone`);
    case 'env':
      return printExports(await existing(name));
    case 'status': {
      const cluster = await existing(name);
      if (cluster.kind === 'local') await printPrograms(cluster);
      return console.log(cluster.nodes.map((node) => `node ${node.name} ${node.ip}`).join('\n'));
    }
    default:
      throw new UserError('Say what to do: node test/cluster/main.ts up | down | env | status');
  }
}

try {
  await main(process.argv[2] ?? '');
} catch (error) {
  if (error instanceof UserError) console.error(error.message);
  else console.error(error instanceof Error ? `The command failed: ${error.message}` : error);
  process.exitCode = 1;
}
