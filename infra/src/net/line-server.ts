import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Ids } from '@kiroku/domain/kernel/clock.js';
import type { TlsFacts } from '@kiroku/domain/mail/events.js';
import { canonicalIp, ipMatcher } from '@kiroku/domain/mail/ip.js';
import { type Connection, ConnectionEnded, type Protocol } from './connection.js';
import { Doorway } from './doorway.js';
import type { Endpoint } from './proxy-protocol.js';
import { type ConnectionHost, SocketConnection } from './socket-connection.js';
import { secure, tlsFactsOf, type TlsSource } from './tls-source.js';

export interface Listener {
  /** mx, submission, smtps, pop3, pop3s: what connections call it. */
  readonly name: string;
  /** 0 = any free one; see what `listen` returns. */
  readonly port: number;
  /** Address to bind; default 127.0.0.1. `::` serves IPv4 as well. */
  readonly host?: string;
  /** The TLS handshake comes first (RFC 8314); otherwise it is for the protocol to call `startTls`. */
  readonly implicitTls?: boolean;
}

/** Counts and ms; 0 = no limit. */
export interface ConnectionLimits {
  readonly total: number;
  readonly perIp: number;
  readonly sessionTime: number;
  /** Addresses and blocks from which a PROXY header is required. Others' first bytes are never taken for one. */
  readonly proxyIps: readonly string[];
}

export interface LineServerOptions {
  readonly protocol: Protocol;
  readonly listeners: readonly Listener[];
  readonly ids: Pick<Ids, 'uuid'>;
  /** Asked at each connection and each tick, so that settings take effect at once. */
  readonly limits: () => ConnectionLimits;
  /** ms; the first value of a connection's `idleTimeout`. */
  readonly idleTimeout: () => number;
  readonly tls?: TlsSource;
  /** Told of everything unexpected: what `serve` threw, listeners in trouble. Never of what a client may cause at will. */
  readonly trouble: (error: unknown, connection?: Connection) => void;
  /** Lets several processes listen on one port, the kernel spreading connections over them (SO_REUSEPORT). */
  readonly reusePort?: boolean;
  /** ms for TLS handshakes and PROXY headers. Default 10 s. */
  readonly handshakeTimeout?: number;
  /** ms between looks at the clock: timeouts are late by up to two of these. Default 1 s. */
  readonly tick?: number;
}

/** ms that connections get after `drain` has run out of patience. */
const LAST_WORDS = 1000;

/** Runs one protocol on several listeners. One timer for all connections; nothing is left when `drain` or `close` has resolved. */
export class LineServer implements ConnectionHost {
  now = performance.now();
  readonly handshakeTimeout: number;
  readonly tls: TlsSource | undefined;
  private readonly tick: number;
  private readonly servers: Server[] = [];
  private readonly connections = new Set<SocketConnection>();
  private readonly perIp = new Map<string, number>();
  private readonly doorway: Doorway;
  private timer: NodeJS.Timeout | undefined;
  private serving = 0;
  /** While shutting down: told when nothing is left. */
  private quiet: (() => void) | undefined;
  private gaveUp = false;
  private drained: Promise<void> | undefined;
  private proxies: { readonly list: readonly string[]; readonly includes: (ip: string) => boolean } = { list: [], includes: () => false };

  constructor(private readonly options: LineServerOptions) {
    this.handshakeTimeout = options.handshakeTimeout ?? 10_000;
    this.tick = options.tick ?? 1000;
    this.tls = options.tls;
    this.doorway = new Doorway(this);
  }

  /** Connections that are open, handshakes in progress included. */
  get size(): number {
    return this.connections.size + this.doorway.size;
  }

  /**
   * Opens all listeners or none.
   * @returns them with their actual ports.
   * @throws the system's error (EADDRINUSE, EACCES) when one cannot be opened.
   */
  async listen(): Promise<readonly (Listener & { readonly host: string })[]> {
    if (!this.tls && this.options.listeners.some((listener) => listener.implicitTls)) throw new Error('a TLS listener needs a certificate');
    this.now = performance.now();
    this.timer = setInterval(() => this.look(), this.tick);
    try {
      const opened = [];
      for (const listener of this.options.listeners) opened.push(await this.open(listener));
      return opened;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /**
   * Stops listening, ends connections that are between commands with the protocol's `shutdown` line, and lets others go on
   * until they are, but no longer than `ms`. Resolves when all are closed and their `serve` has settled; a `serve` that is stuck
   * is waited for one second more.
   */
  drain(ms: number): Promise<void> {
    return (this.drained ??= this.shutDown(ms));
  }

  close(): Promise<void> {
    return this.drain(0);
  }

  closed(connection: SocketConnection): void {
    this.connections.delete(connection);
    this.leave(connection.peer.ip);
    this.changed();
  }

  /** Something has ended: perhaps it was the last. */
  changed(): void {
    if (this.size + this.doorway.leavers === 0 && (this.serving === 0 || this.gaveUp)) this.quiet?.();
  }

  private async open(listener: Listener): Promise<Listener & { readonly host: string }> {
    const { name, port, host = '127.0.0.1' } = listener;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.arrive(socket, listener));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host, backlog: 4096, exclusive: true, reusePort: this.options.reusePort ?? false }, resolve);
    });
    server.removeAllListeners('error').on('error', (error) => this.report(error));
    this.servers.push(server);
    return { ...listener, name, host, port: (server.address() as AddressInfo).port };
  }

  private arrive(socket: Socket, listener: Listener): void {
    // Errors are followed by `close`, which says enough; unheard they would end the process.
    socket.on('error', () => undefined);
    const source = endpoint(socket.remoteAddress, socket.remotePort);
    const target = endpoint(socket.localAddress, socket.localPort);
    if (!source || !target || this.drained) return void socket.destroy(); // reset before we looked
    const { total } = this.options.limits();
    if (total > 0 && this.size >= total) this.refuse(socket, listener);
    else if (this.isProxy(source.ip))
      this.doorway.readProxyHeader(socket, (header) => this.admit(socket, listener, header.source ?? source, header.target ?? target));
    else this.admit(socket, listener, source, target);
  }

  private admit(socket: Socket, listener: Listener, source: Endpoint, target: Endpoint): void {
    const { perIp } = this.options.limits();
    const others = this.perIp.get(source.ip) ?? 0;
    if (perIp > 0 && others >= perIp) return this.refuse(socket, listener);
    this.perIp.set(source.ip, others + 1);
    if (!listener.implicitTls || !this.tls) return this.start(socket, listener, source, target, undefined);
    const tls = secure(socket, this.tls);
    this.doorway.add(tls);
    const gone = () => {
      this.doorway.delete(tls);
      this.leave(source.ip);
    };
    tls.once('close', gone).once('secure', () => {
      tls.off('close', gone);
      this.doorway.delete(tls);
      this.start(tls, listener, source, target, tlsFactsOf(tls));
    });
  }

  private start(socket: Socket, listener: Listener, peer: Endpoint, target: Endpoint, tls: TlsFacts | undefined): void {
    const connection = new SocketConnection(this, socket, {
      id: this.options.ids.uuid(),
      peer,
      local: target.ip.includes(':') ? `[${target.ip}]:${target.port}` : `${target.ip}:${target.port}`,
      listener: listener.name,
      tls,
      idleTimeout: this.options.idleTimeout(),
    });
    this.connections.add(connection);
    if (this.drained) connection.drain();
    void this.serve(connection);
  }

  private async serve(connection: SocketConnection): Promise<void> {
    const { protocol } = this.options;
    this.serving++;
    let last = '';
    try {
      await protocol.serve(connection);
    } catch (error) {
      if (!(error instanceof ConnectionEnded)) {
        last = protocol.failure;
        this.report(error, connection);
      }
    }
    const over = connection.over?.reason;
    if (over === 'shutdown') last = protocol.shutdown;
    else if (over === 'idle' || over === 'session-time') last = protocol.timeout;
    if (last !== '') connection.write(ended(last));
    connection.close();
    this.serving--;
    this.changed();
  }

  /** Before a handshake nothing can be said: the connection is just closed. */
  private refuse(socket: Socket, listener: Listener): void {
    if (listener.implicitTls) socket.destroy();
    else this.doorway.sendAway(socket, ended(this.options.protocol.busy));
  }

  private leave(ip: string): void {
    const left = (this.perIp.get(ip) ?? 1) - 1;
    if (left > 0) this.perIp.set(ip, left);
    else this.perIp.delete(ip);
  }

  private isProxy(ip: string): boolean {
    const { proxyIps } = this.options.limits();
    if (proxyIps !== this.proxies.list) this.proxies = { list: proxyIps, includes: ipMatcher(proxyIps) };
    return this.proxies.includes(ip);
  }

  private look(): void {
    this.now = performance.now();
    const { sessionTime } = this.options.limits();
    for (const connection of this.connections) connection.expire(sessionTime, this.tick);
    this.doorway.expire(this.tick);
  }

  private async shutDown(ms: number): Promise<void> {
    const closed = Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
    const quiet = new Promise<void>((resolve) => (this.quiet = resolve));
    for (const connection of this.connections) connection.drain();
    const cut = () => {
      for (const connection of this.connections) connection.fail('shutdown');
      this.doorway.destroyAll();
    };
    const giveUp = () => {
      this.gaveUp = true;
      for (const connection of this.connections) connection.destroy();
      this.doorway.destroyAll();
      this.changed();
    };
    const timers = [setTimeout(cut, ms), setTimeout(giveUp, ms + LAST_WORDS)];
    this.changed();
    await Promise.all([closed, quiet]);
    timers.forEach(clearTimeout);
    clearInterval(this.timer);
  }

  private report(error: unknown, connection?: Connection): void {
    try {
      this.options.trouble(error, connection);
    } catch {
      // A reporter in trouble must not take the connections with it.
    }
  }
}

const ended = (line: string): string => (line.endsWith('\r\n') ? line : `${line}\r\n`);

function endpoint(address: string | undefined, port: number | undefined): Endpoint | undefined {
  const ip = address === undefined ? undefined : canonicalIp(address);
  return ip === undefined || port === undefined ? undefined : { ip, port };
}
