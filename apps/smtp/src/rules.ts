import { Refusal } from '@kiroku/domain/kernel/decider.js';
import type { EnvelopeRecipient } from '@kiroku/domain/mail/events.js';
import { checkRecipient, type Outward } from '@kiroku/domain/smtp/recipient.js';
import type { Reason } from '@kiroku/domain/smtp/replies.js';
import { checkSender } from '@kiroku/domain/smtp/sender.js';
import type { Client, Envelope, Of, Rules } from '@kiroku/domain/smtp/session.js';
import type { Dialogue } from './dialogue.js';

/** Bounds memory also where the settings set no limit. */
const MOST_RECIPIENTS = 10_000;
/** Refusals in one transaction after which no more recipients are looked up. */
const MOST_REFUSED = 1000;

/** The rules for sender and recipients, under this connection's settings. */
export class SessionRules implements Rules {
  private readonly outward: Outward;

  constructor(private readonly dialogue: Dialogue) {
    const { on, settings } = dialogue;
    this.outward = { verify: (address) => on.relays.verify(address), full: () => on.backlog.full(settings.queueLimit) };
  }

  get tls(): Rules['tls'] {
    const { connection, on } = this.dialogue;
    return connection.tls ? 'active' : on.offersTls(connection.peer.ip) ? 'available' : 'unavailable';
  }

  queueId(): string {
    return this.dialogue.on.ids.queueId();
  }

  sender({ login }: Client, { from, parameters }: Of<'MAIL'>): void | Promise<void> {
    const { settings, connection, on } = this.dialogue;
    if (settings.messageSize > 0 && parameters.size > settings.messageSize) throw new Refusal<Reason>('message-too-big', `announced ${parameters.size}`);
    // RFC 6409 §4.3: submission is for those we know
    if (!login && connection.listener !== 'mx' && !this.dialogue.trusted) throw new Refusal<Reason>('auth-required');
    const allowed = (): void | Promise<void> => (login ? checkSender(on.directory, settings.senderTrust, login, from.text) : undefined);
    const room = this.room(parameters.size);
    return room ? room.then(allowed) : allowed();
  }

  /** RFC 1870 §6.1: a message that would take what is kept free is not begun. */
  private room(size: number): void | Promise<void> {
    const { settings, on } = this.dialogue;
    if (settings.diskReserve === 0) return;
    const check = (free: number): void => {
      if (free - size < settings.diskReserve) throw new Refusal<Reason>('disk-low', `${free} bytes free`);
    };
    const free = on.disk.free();
    return free instanceof Promise ? free.then(check) : check(free);
  }

  async recipient({ client, mail, recipients }: Pick<Envelope, 'client' | 'mail' | 'recipients'>, { to, parameters }: Of<'RCPT'>): Promise<EnvelopeRecipient> {
    const { settings, on, refused } = this.dialogue;
    const most = Math.min(settings.recipientsPerMessage || MOST_RECIPIENTS, MOST_RECIPIENTS);
    if (recipients.length >= most || refused.length >= MOST_REFUSED) throw new Refusal<Reason>('too-many-recipients');
    if (to.literal) throw new Refusal<Reason>('address-literal');
    // RFC 5321 §4.5.1: postmaster without domain is ours
    if (to.domain === '' && settings.defaultDomain === '') throw new Refusal<Reason>('unknown-recipient', 'no default domain is set');
    const address = to.domain === '' ? `${to.local}@${settings.defaultDomain}` : to.text;
    const mayRelay = client.login !== undefined || this.dialogue.trusted;
    await checkRecipient(on.directory, this.outward, { address, size: mail.size, sender: mail.sender, mayRelay });
    return { address, ...parameters };
  }
}
