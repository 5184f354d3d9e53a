import type { Admission } from '@kiroku/domain/policy/admission-port.js';
import { reply } from '@kiroku/domain/smtp/replies.js';
import { type Connection, ConnectionEnded, type Protocol } from '@kiroku/infra/net/connection.js';
import { Conversation } from './conversation.js';
import type { SmtpDependencies } from './dependencies.js';
import { Dialogue } from './dialogue.js';
import { FactTrail } from './fact-trail.js';

/**
 * The SMTP server, as a protocol for the line server; the listener's name decides the rules: `mx` takes mail for our own from anyone,
 * `submission` and `smtps` mail for anyone from those who log in.
 */
export class SmtpServer implements Protocol {
  readonly name = 'smtp';
  readonly busy: string;
  readonly failure: string;
  readonly shutdown: string;
  readonly timeout: string;
  private readonly trail: FactTrail;

  constructor(private readonly on: SmtpDependencies) {
    const host = { host: on.hostname };
    this.busy = reply('busy', host);
    this.failure = reply('unavailable', host);
    this.shutdown = reply('shutdown', host);
    this.timeout = reply('timeout', host);
    this.trail = new FactTrail(on.log);
  }

  /** Facts of refusals that could not be written down. */
  get droppedFacts(): number {
    return this.trail.dropped;
  }

  /** Resolves when the facts of refusals are written down: after the last connection, before the log is closed. */
  settled(): Promise<void> {
    return this.trail.settled();
  }

  async serve(connection: Connection): Promise<void> {
    let admission: Admission;
    try {
      admission = await this.on.admission.admit('smtp', connection.peer.ip);
    } catch (error) {
      this.on.trouble(error);
      connection.write(`${reply('unavailable', { host: this.on.hostname })}\r\n`);
      return;
    }
    const { settings, refused, digests } = admission;
    const dialogue = new Dialogue(connection, this.on, settings, this.trail, digests);
    const opened = this.on.clock.now();
    const { tls, listener, local } = connection;
    connection.idleTimeout = settings.smtpIdleTime;
    dialogue.note({ type: 'SessionOpened', data: { protocol: 'smtp', listener, peer: dialogue.peer, local, ...(tls && { tls }) } });
    const conversation = new Conversation(dialogue);
    try {
      if (refused) dialogue.noteRefused('connect', refused, dialogue.close(refused));
      else {
        // Counted off the client's path: the limit holds for the next connection.
        this.on.admission.connected('smtp', connection.peer.ip, connection.id).catch((error: unknown) => this.on.trouble(error));
        if (await greet(dialogue)) await conversation.run();
      }
    } catch (error) {
      dialogue.over ??= error instanceof ConnectionEnded ? error.reason : 'failure';
      throw error;
    } finally {
      const { bytesIn, bytesOut } = connection;
      const seconds = Math.round((this.on.clock.now() - opened) / 1000);
      const data = { protocol: 'smtp', peer: dialogue.peer, reason: dialogue.over ?? 'failure', seconds, commands: conversation.commands, bytesIn, bytesOut };
      dialogue.note({ type: 'SessionClosed', data });
    }
  }
}

/** The greeting, on the mx listener after a pause in which honest clients say nothing. @returns false when the client did not wait. */
async function greet(dialogue: Dialogue): Promise<boolean> {
  const { connection, settings, on } = dialogue;
  if (settings.greetingPause > 0 && connection.listener === 'mx' && !dialogue.trusted && (await connection.pause(settings.greetingPause))) {
    dialogue.noteRefused('connect', 'early-talker', dialogue.close('early-talker'));
    return false;
  }
  dialogue.say('greeting', { product: settings.showVersion ? ` ${on.product}` : '' });
  return true;
}
