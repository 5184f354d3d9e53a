import { createServer, type Server } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Pair } from '../test-ca.js';

interface Policy {
  readonly text: string;
  readonly certificate: Pair;
}

/** The HTTPS server that MTA-STS policies of many domains are fetched from (RFC 8461 §3.3). */
export class PolicyHost {
  /** Domains whose policy was fetched, in order. */
  readonly asked: string[] = [];
  readonly #policies = new Map<string, Policy>();
  readonly #server: Server;

  private constructor(readonly host: string) {
    this.#server = createServer(
      { SNICallback: (name, done) => done(null, this.#policies.has(name) ? createSecureContext(this.#policies.get(name)?.certificate) : undefined) },
      ({ url, headers: { host: name = '' } }, response) => {
        const policy = this.#policies.get(name);
        if (url !== '/.well-known/mta-sts.txt' || !policy) return void response.writeHead(404).end();
        this.asked.push(name.slice('mta-sts.'.length));
        response.writeHead(200, { 'content-type': 'text/plain' }).end(policy.text);
      },
    );
    this.#server.on('tlsClientError', () => undefined); // a client that does not like the certificate breaks off
  }

  static async start(host: string, port: number): Promise<PolicyHost> {
    const policies = new PolicyHost(host);
    await new Promise<void>((resolve, reject) => policies.#server.once('error', reject).listen(port, host, resolve));
    return policies;
  }

  /** @param certificate what it shows to those who ask for this domain's policy. */
  publish(domain: string, text: string, certificate: Pair): void {
    this.#policies.set(`mta-sts.${domain}`, { text, certificate });
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
