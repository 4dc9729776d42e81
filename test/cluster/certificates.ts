/** Certificates made with the `openssl` command (Node can read X.509 but not issue it). */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { run } from './command.ts';

/** The files of one certificate. */
export interface KeyPair {
  certificateFile: string;
  keyFile: string;
}

/** What a certificate says; `issuer` absent makes a certificate authority that signs itself. */
export interface CertificateRequest {
  commonName: string;
  /** Kubernetes reads a client certificate's organizations as its groups. */
  organizations?: string[];
  /** Names and addresses of a server, in openssl's form: `DNS:localhost`, `IP:127.0.0.1`. */
  alternativeNames?: string[];
  issuer?: KeyPair;
}

/** Ten years: the files live as long as the cluster's state folder. */
const DAYS = 3650;

function escapeSubject(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('/', '\\/');
}

/** Returns the `-subj` argument of openssl, where `/` separates the parts and `\` escapes. */
export function subjectArgument(request: Pick<CertificateRequest, 'commonName' | 'organizations'>): string {
  const organizations = (request.organizations ?? []).map((name) => `/O=${escapeSubject(name)}`);
  return `${organizations.join('')}/CN=${escapeSubject(request.commonName)}`;
}

/** Returns the text of an openssl configuration: our extensions only, none of the machine's own openssl.cnf. */
export function opensslConfiguration(request: CertificateRequest): string {
  const extensions =
    request.issuer === undefined
      ? ['basicConstraints = critical, CA:TRUE', 'keyUsage = critical, keyCertSign, cRLSign']
      : [
          'basicConstraints = critical, CA:FALSE',
          'keyUsage = critical, digitalSignature',
          'extendedKeyUsage = clientAuth, serverAuth',
        ];
  const names = request.alternativeNames ?? [];
  if (names.length > 0) extensions.push(`subjectAltName = ${names.join(', ')}`);
  return [
    '[req]',
    'distinguished_name = subject',
    'x509_extensions = extensions',
    '[subject]',
    '[extensions]',
    ...extensions,
    '',
  ].join('\n');
}

/**
 * Makes `PATH.crt` and `PATH.key` (P-256) unless both exist, and returns their paths.
 * Throws a UserError when openssl is not installed.
 */
export async function ensureCertificate(path: string, request: CertificateRequest): Promise<KeyPair> {
  const pair = { certificateFile: `${path}.crt`, keyFile: `${path}.key` };
  // The certificate is renamed into place last, so that its presence means a complete pair.
  if (existsSync(pair.certificateFile)) return pair;
  await mkdir(dirname(path), { recursive: true });
  const configuration = `${path}.openssl.cnf`;
  await writeFile(configuration, opensslConfiguration(request));
  const unfinished = `${pair.certificateFile}.unfinished`;
  const key = '-nodes -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout'.split(' ');
  const signer =
    request.issuer === undefined ? [] : ['-CA', request.issuer.certificateFile, '-CAkey', request.issuer.keyFile];
  const what = ['-config', configuration, '-utf8', '-subj', subjectArgument(request), '-days', String(DAYS)];
  await run(
    'openssl',
    ['req', '-x509', '-new', '-sha256', ...key, pair.keyFile, ...signer, ...what, '-out', unfinished],
    { endWithParent: true },
  );
  await rename(unfinished, pair.certificateFile);
  await rm(configuration);
  return pair;
}

/** Makes the RSA key that signs ServiceAccount tokens unless it exists; `PATH.key` is private, `PATH.pub` public. */
export async function ensureServiceAccountKey(path: string): Promise<{ privateFile: string; publicFile: string }> {
  const files = { privateFile: `${path}.key`, publicFile: `${path}.pub` };
  if (existsSync(files.publicFile)) return files;
  await mkdir(dirname(path), { recursive: true });
  await run('openssl', ['genpkey', '-algorithm', 'RSA', '-out', files.privateFile], { endWithParent: true });
  const unfinished = `${files.publicFile}.unfinished`;
  await run('openssl', ['pkey', '-in', files.privateFile, '-pubout', '-out', unfinished], { endWithParent: true });
  await rename(unfinished, files.publicFile);
  return files;
}
