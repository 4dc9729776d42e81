/** A kubeconfig that sees what a client hands to the programs that it starts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';
import { sharedKubeconfig } from './kube.ts';

const API_VERSION = 'client.authentication.k8s.io/v1';

/**
 * Writes into `folder` a kubeconfig whose credentials another program gives; that one appends its own arguments and those
 * of the client to the file `spied`.
 */
export function spyingKubeconfig(folder: string): { kubeconfig: string; spied: string } {
  const kubeconfig = parse(readFileSync(sharedKubeconfig(), 'utf8')) as { users: { user: Record<string, unknown> }[] };
  const given = kubeconfig.users[0]?.user ?? {};
  const pem = (field: string): string => Buffer.from(String(given[field]), 'base64').toString();
  const status = {
    clientCertificateData: pem('client-certificate-data'),
    clientKeyData: pem('client-key-data'),
  };
  const credential = JSON.stringify({ apiVersion: API_VERSION, kind: 'ExecCredential', status });
  const spied = `${folder}/spied`;
  const program = `const { appendFileSync, readFileSync } = require('node:fs');
    const argumentsOf = (process) => readFileSync('/proc/' + process + '/cmdline', 'utf8');
    appendFileSync(${JSON.stringify(spied)}, argumentsOf('self') + argumentsOf(process.ppid));
    console.log(${JSON.stringify(credential)});`;
  writeFileSync(`${folder}/spy.cjs`, program);
  const exec = {
    apiVersion: API_VERSION,
    command: process.execPath,
    args: [`${folder}/spy.cjs`],
    interactiveMode: 'Never',
  };
  for (const entry of kubeconfig.users) entry.user = { exec };
  writeFileSync(`${folder}/kubeconfig`, JSON.stringify(kubeconfig));
  return { kubeconfig: `${folder}/kubeconfig`, spied };
}
