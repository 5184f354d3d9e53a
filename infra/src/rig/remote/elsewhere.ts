import { DnsServer } from '../dns-server.js';
import { freePorts } from '../ports.js';

/**
 * The rest of the world as a test makes it: a DNS server, and loopback addresses for the servers that its names lead to. They all
 * listen on one free port, since 25 is for root alone; `env` tells Kiroku so.
 */
export class Elsewhere {
  #hosts = 0;

  private constructor(
    readonly dns: DnsServer,
    /** Where all the servers of this world listen. */
    readonly port: number,
    /** Where its MTA-STS policies are fetched. */
    readonly httpsPort: number,
    private readonly net: number,
  ) {}

  /**
   * @param options.net 1 to 250: worlds at the same time must differ in it, or in their port.
   * @param options.usualDns the DNS server listens on port 53 of a loopback address of this net: for programs that know no other
   * port; needs root.
   */
  static async start({ net = 77, usualDns = false } = {}): Promise<Elsewhere> {
    const [port, https] = (await freePorts(2)) as [number, number];
    return new Elsewhere(usualDns ? await DnsServer.start(53, `127.${net}.255.53`) : await DnsServer.start(), port, https, net);
  }

  /** What a server has to be started with to live in this world; its setting `outboundLoopback` must be on, too. */
  get env(): Readonly<Record<string, string>> {
    return { KIROKU_DNS: this.dns.address, KIROKU_REMOTE_SMTP: `${this.port}`, KIROKU_REMOTE_HTTPS: `${this.httpsPort}` };
  }

  /** An address that no other server of this world has. */
  nextHost(): string {
    this.#hosts += 1;
    return `127.${this.net}.${this.#hosts >> 8}.${this.#hosts & 255}`;
  }

  /** Mail for these domains goes to this address, by an MX of each domain's own. */
  route(host: string, ...domains: readonly string[]): this {
    for (const domain of domains) this.dns.mx(domain, [10, `mx.${domain}`]).a(`mx.${domain}`, host);
    return this;
  }

  stop(): Promise<void> {
    return this.dns.stop();
  }
}
