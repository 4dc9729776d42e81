/** The proxy's connections to the real API server. */
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import { parse } from 'yaml';

interface Kubeconfig {
  clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  users: { user: { 'client-certificate-data'?: string; 'client-key-data'?: string } }[];
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

export class Upstream {
  readonly #server: URL;
  /** With the client certificate of the kubeconfig. */
  readonly #ownAgent: https.Agent;
  /** For requests with a token of their own; a client certificate would win over it. */
  readonly #tokenAgent: https.Agent;
  readonly #impersonation: OutgoingHttpHeaders;

  private constructor(server: URL, own: https.Agent, token: https.Agent, impersonation: OutgoingHttpHeaders) {
    this.#server = server;
    this.#ownAgent = own;
    this.#tokenAgent = token;
    this.#impersonation = impersonation;
  }

  /** Reads a kubeconfig whose certificates are embedded. */
  static async fromKubeconfig(file: string, impersonate?: { user: string; groups?: string[] }): Promise<Upstream> {
    const kubeconfig = parse(await readFile(file, 'utf8')) as Kubeconfig;
    const cluster = kubeconfig.clusters[0]?.cluster;
    const user = kubeconfig.users[0]?.user ?? {};
    if (cluster === undefined) throw new Error(`the kubeconfig ${file} names no cluster`);
    const shared = { keepAlive: true, ca: decode(cluster['certificate-authority-data']) };
    const { 'client-certificate-data': certificate, 'client-key-data': key } = user;
    const identity =
      certificate === undefined || key === undefined ? {} : { cert: decode(certificate), key: decode(key) };
    const impersonation: OutgoingHttpHeaders =
      impersonate === undefined
        ? {}
        : { 'impersonate-user': impersonate.user, 'impersonate-group': impersonate.groups ?? [] };
    const own = new https.Agent({ ...shared, ...identity });
    return new Upstream(new URL(cluster.server), own, new https.Agent(shared), impersonation);
  }

  /** Sends the request on and returns the head of the answer. Rejects when the API server is not there. */
  async forward(request: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const { host: _host, connection: _connection, 'transfer-encoding': _chunked, ...headers } = request.headers;
    const withToken = headers.authorization !== undefined;
    return await new Promise((resolve, reject) => {
      const onward = https.request(
        {
          host: this.#server.hostname,
          port: this.#server.port,
          path: request.url,
          method: request.method,
          agent: withToken ? this.#tokenAgent : this.#ownAgent,
          headers: { ...plain(headers), ...(withToken ? {} : this.#impersonation) },
        },
        resolve,
      );
      onward.on('error', reject);
      onward.end(body);
    });
  }

  close(): void {
    this.#ownAgent.destroy();
    this.#tokenAgent.destroy();
  }
}

function plain(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}
