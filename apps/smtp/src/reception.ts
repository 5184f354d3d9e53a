import { Refusal } from '@kiroku/domain/kernel/decider.js';
import { type BodyRef, StoreOutOfReach, StoreUnavailable } from '@kiroku/domain/kernel/object-store.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type { MessageAccepted } from '@kiroku/domain/mail/events.js';
import type { HeaderFacts } from '@kiroku/domain/mail/header-scan.js';
import { addressesIn } from '@kiroku/domain/mail/mailbox-list.js';
import { received } from '@kiroku/domain/mail/received.js';
import { additions } from '@kiroku/domain/smtp/additions.js';
import { type Reason, reply } from '@kiroku/domain/smtp/replies.js';
import { checkHeaderFrom } from '@kiroku/domain/smtp/sender.js';
import { type Envelope, refusalOf } from '@kiroku/domain/smtp/session.js';
import type { Dialogue } from './dialogue.js';
import type { IncomingBody } from './incoming-body.js';

/**
 * The end of data: 250 once body and MessageAccepted are durable, a refusal otherwise (design promise 1).
 * When the append fails its outcome is unknown: 451, so the client sends again; a message twice is better than none.
 */
export async function conclude(dialogue: Dialogue, envelope: Envelope, body: IncomingBody, verb: 'DATA' | 'BDAT'): Promise<void> {
  try {
    const text = await keep(dialogue, envelope, body);
    dialogue.connection.write(`${text}\r\n`);
  } catch (error) {
    const refusal = refusalOf(error);
    if (!refusal) dialogue.trouble(error);
    const outage = error instanceof StoreOutOfReach ? 'store-away' : error instanceof StoreUnavailable ? 'store-unavailable' : 'temporary-failure';
    refuse(dialogue, envelope, body, verb, refusal?.reason ?? outage, refusal?.detail);
  }
}

/** Ends the transaction with a refusal, said and written down. */
export function refuse(dialogue: Dialogue, envelope: Envelope, body: IncomingBody, verb: 'DATA' | 'BDAT', reason: Reason, detail?: string): void {
  body.abort();
  const reply = reason === 'message-far-too-big' ? dialogue.close(reason) : dialogue.say(reason);
  const { mail, recipients, client } = envelope;
  dialogue.messageRefused({ ...mail, recipients, login: client.login, size: body.taken }, verb, { rule: reason, reply, detail });
}

/** @returns the reply. @throws Refusal, StoreUnavailable, and any other error for a temporary failure. */
async function keep(dialogue: Dialogue, envelope: Envelope, body: IncomingBody): Promise<string> {
  const { settings, on } = dialogue;
  const { client, mail } = envelope;
  const header = body.finish();
  if (body.problem) throw new Refusal<Reason>(body.problem);
  if (settings.hops > 0 && header.received > settings.hops) throw new Refusal<Reason>('too-many-hops', `${header.received}`);
  if (client.login && settings.senderTrust === 'header') await checkHeaderFrom(on.directory, client.login, authorsOf(header));
  const ref = await body.commit();
  const text = reply('accepted', { id: mail.id });
  const entry = dialogue.entry(mail.id, accepted(dialogue, envelope, header, ref, body.eightBit, text));
  const entries = dialogue.refused.length === 0 ? [entry] : [...dialogue.refused, entry];
  try {
    await on.log.append(entries);
  } catch (error) {
    dialogue.trouble(error);
    throw new Refusal<Reason>('log-unavailable');
  }
  dialogue.refused = [];
  return text;
}

/** RFC 5322 §3.6 allows one From; two are a trick on somebody, and so is one without an address. */
function authorsOf({ from }: HeaderFacts): readonly string[] | undefined {
  if (from.length === 0) return [];
  const addresses = from.length === 1 ? addressesIn(from[0] ?? '') : undefined;
  return addresses?.length ? addresses : undefined;
}

function accepted(dialogue: Dialogue, envelope: Envelope, header: HeaderFacts, ref: BodyRef, eightBit: boolean, text: string): MessageAccepted {
  const { client, mail, recipients } = envelope;
  const { connection, peer } = dialogue;
  const { tls } = connection;
  const { lines, messageId } = traceOf(dialogue, envelope, header);
  return {
    type: 'MessageAccepted',
    data: {
      messageId: mail.id,
      session: connection.id,
      listener: connection.listener,
      peer,
      ...(tls && { tls }),
      ...(client.login && { login: client.login.address }),
      protocol: keyword(dialogue, envelope),
      sender: mail.sender,
      recipients,
      // Clients send 8-bit text without saying so; delivery has to know what is there.
      body: mail.body === '7BIT' && eightBit ? '8BITMIME' : mail.body,
      smtputf8: mail.smtputf8,
      requireTls: mail.requireTls,
      ...(mail.ret && { ret: mail.ret }),
      ...(mail.envid !== undefined && { envid: mail.envid }),
      sha256: ref.sha256,
      size: ref.size,
      ...(ref.at !== undefined && { at: ref.at }),
      trace: lines,
      ...(messageId && { headerMessageId: messageId }), // '' is a field that cannot be read
      hops: header.received,
      ...beforeOf(header),
      ...(header.bulk && { bulk: true as const }),
      ...(header.tlsOptional && !mail.requireTls && { tlsOptional: true as const }),
      reply: text,
    },
  };
}

/** Nothing is refused for it: people send old mail again, header and all. Delivery goes by it where an alias leads out of the house. */
function beforeOf({ deliveredTo = [] }: HeaderFacts): Pick<MessageAccepted['data'], 'deliveredTo'> {
  const known = new Set(deliveredTo.flatMap((text) => canonical(text.replace(/^<(.*)>$/, '$1')) ?? []));
  return known.size === 0 ? {} : { deliveredTo: [...known] };
}

/** RFC 3848 and RFC 6531 §4.3. A client that said HELO and still uses TLS or AUTH speaks ESMTP. */
function keyword({ connection }: Dialogue, { client, mail }: Envelope): string {
  const extended = client.greeting === 'EHLO' || connection.tls !== undefined || client.login !== undefined;
  return `${mail.smtputf8 ? 'UTF8SMTP' : extended ? 'ESMTP' : 'SMTP'}${connection.tls ? 'S' : ''}${client.login ? 'A' : ''}`;
}

/** What this server puts in front of the body. */
function traceOf(dialogue: Dialogue, envelope: Envelope, header: HeaderFacts): { lines: string; messageId: string | undefined } {
  const { client, mail, recipients } = envelope;
  const { connection, settings, on, host } = dialogue;
  const at = on.clock.now();
  const offset = on.offset(at);
  const only = recipients.length === 1 ? recipients[0]?.address : undefined;
  let lines = received(
    {
      helo: client.helo,
      ip: connection.peer.ip,
      host,
      product: settings.showVersion ? on.product : '',
      protocol: keyword(dialogue, envelope),
      id: mail.id,
      ...(only !== undefined && { recipient: only }),
      ...(connection.tls && { tls: connection.tls }),
      ...(client.login && { login: client.login.address }),
      at,
      offset,
      hideClient: settings.hideClientIp && client.login !== undefined,
    },
    settings.receivedTemplate,
  );
  let messageId = header.messageId;
  if (client.login) {
    const added = additions(header, { id: mail.id, sender: mail.sender, login: client.login, host, at, offset });
    lines += added.lines;
    messageId ??= added.messageId;
  }
  // Else our fields and the text would run together.
  return { lines: header.startsWithHeader ? lines : `${lines}\r\n`, messageId };
}
