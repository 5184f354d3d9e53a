import type { Socket } from 'node:net';
import { parseProxyHeader, type ProxyHeader } from './proxy-protocol.js';

/** ms that a client has to read why it is sent away. */
const FAREWELL = 5000;
/** Clients sent away that are waited for; beyond that they are cut off without a word. */
const LEAVING = 1000;

/** Sockets that are no connections yet (PROXY header, TLS handshake), or will never be: each has a bounded time. */
export class Doorway {
  private readonly entering = new Map<Socket, number>();
  private readonly leaving = new Map<Socket, number>();

  /** @param host `changed` is told when a socket has left. */
  constructor(private readonly host: { readonly now: number; readonly handshakeTimeout: number; changed(): void }) {}

  /** Sockets on their way in. */
  get size(): number {
    return this.entering.size;
  }

  /** Sockets on their way out. */
  get leavers(): number {
    return this.leaving.size;
  }

  add(socket: Socket): void {
    this.entering.set(socket, this.host.now);
  }

  delete(socket: Socket): void {
    this.entering.delete(socket);
    this.host.changed();
  }

  /** Reads the header that has to come first, then calls `done`; without a good one the socket is closed. */
  readProxyHeader(socket: Socket, done: (header: Extract<ProxyHeader, { kind: 'header' }>) => void): void {
    let bytes: Buffer = Buffer.alloc(0);
    const leave = () => this.delete(socket);
    const onEnd = () => socket.destroy();
    const onData = (chunk: Buffer) => {
      // Bounded: the parser says `bad` before it lets a header grow beyond 4 KiB.
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const header = parseProxyHeader(bytes);
      if (header.kind === 'more') return;
      if (header.kind === 'bad') return void socket.destroy();
      socket.pause();
      socket.off('data', onData).off('end', onEnd).off('close', leave);
      leave();
      if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
      done(header);
    };
    this.add(socket);
    socket.on('data', onData).on('end', onEnd).on('close', leave);
  }

  /** Says one line and closes. What the client still sends is ignored. */
  sendAway(socket: Socket, line: string): void {
    if (this.leaving.size >= LEAVING) return void socket.destroy();
    this.leaving.set(socket, this.host.now);
    socket.once('close', () => {
      this.leaving.delete(socket);
      this.host.changed();
    });
    socket.end(line);
    socket.resume();
  }

  expire(tick: number): void {
    const expired = (sockets: Map<Socket, number>, limit: number) => {
      for (const [socket, since] of sockets) if (this.host.now - since >= limit + tick) socket.destroy();
    };
    expired(this.entering, this.host.handshakeTimeout);
    expired(this.leaving, FAREWELL);
  }

  destroyAll(): void {
    for (const socket of [...this.entering.keys(), ...this.leaving.keys()]) socket.destroy();
  }
}
