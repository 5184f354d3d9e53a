import { randomBytes } from 'node:crypto';
import type { Admission } from '@kiroku/domain/policy/admission-port.js';
import { render } from '@kiroku/domain/pop3/replies.js';
import { type Connection, ConnectionEnded, type Protocol } from '@kiroku/infra/net/connection.js';
import { Conversation } from './conversation.js';
import type { Pop3Options, Pop3Ports } from './ports.js';

/** POP3 for a line server: RFC 1939, 2449, 2595, 3206, 5034, 6856. */
export class Pop3 implements Protocol {
  readonly name = 'pop3';
  readonly busy = render('trouble', 'en');
  readonly failure = render('trouble', 'en');
  readonly shutdown = render('trouble', 'en');
  /** RFC 1939 §3: a session that was idle too long ends without a response. */
  readonly timeout = '';

  constructor(
    private readonly ports: Pop3Ports,
    private readonly options: Pop3Options,
  ) {}

  async serve(connection: Connection): Promise<void> {
    const { id, peer, listener, local, tls } = connection;
    const { log, clock } = this.ports;
    const openedAt = clock.now();
    log.note(id, { type: 'SessionOpened', data: { protocol: 'pop3', listener, peer, local, ...(tls && { tls }) } });
    let reason = 'failure';
    let conversation: Conversation | undefined;
    try {
      const admitted = await this.admit(connection);
      if (admitted) conversation = new Conversation(connection, this.ports, this.options, admitted.settings, admitted.digests);
      reason = conversation ? await conversation.run(this.unique()) : 'refused';
      // Before the last fact, so that it counts what leaves with the end. Where the client left first, all has left already.
      if (reason !== 'client-left') connection.close();
    } catch (error) {
      if (error instanceof ConnectionEnded) reason = error.reason;
      throw error;
    } finally {
      const { bytesIn, bytesOut } = connection;
      const seconds = (clock.now() - openedAt) / 1000;
      const commands = conversation?.commands ?? 0;
      log.note(id, { type: 'SessionClosed', data: { protocol: 'pop3', peer, reason, seconds, commands, bytesIn, bytesOut } });
    }
  }

  /** What holds for this session, or undefined when the client was refused and told so. */
  private async admit(connection: Connection): Promise<Admission | undefined> {
    const admission = await this.ports.admission.admit('pop3', connection.peer.ip);
    const { settings, refused } = admission;
    connection.idleTimeout = settings.pop3IdleTime || Infinity;
    if (!refused) return admission;
    const reply = render('refused', 'en');
    const data = { protocol: 'pop3', peer: connection.peer, verb: '', rule: refused, reply };
    this.ports.log.note(connection.id, { type: 'CommandRefused', data });
    connection.write(`${reply}\r\n`);
    return undefined;
  }

  private unique(): string {
    return this.options.unique?.() ?? `${randomBytes(16).toString('hex')}.${this.ports.clock.now()}`;
  }
}
