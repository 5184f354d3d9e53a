import type { Admission } from '@kiroku/domain/policy/admission-port.js';
import { type Connection, ConnectionEnded, type Protocol } from '@kiroku/infra/net/connection.js';
import { Conversation } from './conversation.js';
import type { ImapOptions, ImapPorts } from './ports.js';
import { Session } from './session.js';

/** ms of silence before login, at most. */
const STRANGERS = 5 * 60_000;

const LAST_WORDS: Readonly<Record<ConnectionEnded['reason'], string>> = {
  idle: 'BYE Too long without a command',
  'session-time': 'BYE The session has lasted too long',
  shutdown: 'BYE The server is going down',
  gone: '',
};

/** IMAP for a line server: RFC 3501, RFC 9051 and the extensions that `capabilities` names. */
export class Imap implements Protocol {
  readonly name = 'imap';
  readonly busy = '* BYE [UNAVAILABLE] Too many connections';
  readonly failure = '* BYE [SERVERBUG] Trouble on our side, try again later';
  // Said here: after COMPRESS the plain connection is not the one to say it on.
  readonly shutdown = '';
  readonly timeout = '';

  /** Of all sessions so far. */
  commands = 0;

  constructor(
    private readonly ports: ImapPorts,
    private readonly options: ImapOptions,
  ) {}

  async serve(connection: Connection): Promise<void> {
    const { id, peer, listener, local, tls } = connection;
    const { log, clock } = this.ports;
    const openedAt = clock.now();
    log.note(id, { type: 'SessionOpened', data: { protocol: 'imap', listener, peer, local, ...(tls && { tls }) } });
    let reason: string = 'failure';
    let conversation: Conversation | undefined;
    try {
      const admitted = await this.admit(connection);
      if (admitted) {
        const session = new Session(connection, this.ports, this.options, admitted.settings, admitted.digests !== false);
        conversation = new Conversation(session, () => void this.commands++);
        reason = await converse(session, conversation);
      } else {
        reason = 'refused';
        connection.close();
      }
    } catch (error) {
      if (error instanceof ConnectionEnded) reason = error.reason;
      throw error;
    } finally {
      const { bytesIn, bytesOut } = connection;
      const seconds = (clock.now() - openedAt) / 1000;
      log.note(id, { type: 'SessionClosed', data: { protocol: 'imap', peer, reason, seconds, commands: conversation?.commands ?? 0, bytesIn, bytesOut } });
    }
  }

  /** What holds for this session, or undefined when the client was refused and told so. */
  private async admit(connection: Connection): Promise<Admission | undefined> {
    const admission = await this.ports.admission.admit('imap', connection.peer.ip);
    connection.idleTimeout = Math.min(STRANGERS, admission.settings.imapIdleTime);
    if (!admission.refused) return admission;
    const reply = '* BYE [UNAVAILABLE] Not from your address';
    this.ports.log.note(connection.id, { type: 'CommandRefused', data: { protocol: 'imap', peer: connection.peer, verb: '', rule: admission.refused, reply } });
    connection.write(`${reply}\r\n`);
    return undefined;
  }
}

/** @returns how it ended. @throws ConnectionEnded when the client may still be listening but there is nothing to say. */
async function converse(session: Session, conversation: Conversation): Promise<string> {
  try {
    await conversation.run();
    // Before the last fact, so that it counts what leaves with the end. Where the client left first, all has left already.
    if (session.ending !== 'client-left') session.connection.close();
    return session.ending;
  } catch (error) {
    if (!(error instanceof ConnectionEnded)) throw error;
    if (session.ending !== 'logout') {
      session.connection.close();
      return session.ending;
    }
    const words = LAST_WORDS[error.reason];
    if (words === '') throw error;
    session.output.untagged(words);
    session.connection.close();
    throw error;
  }
}
