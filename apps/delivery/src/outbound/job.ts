import type { Attempt, AttemptResult } from '@kiroku/domain/delivery/queue-events.js';
import { isForwarded, type Sealer } from '@kiroku/domain/delivery/sealer.js';
import type { ObjectStore } from '@kiroku/domain/kernel/object-store.js';
import type { Notify } from '@kiroku/domain/mail/events.js';
import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import type { ClientConversation, OutboundMessage } from '@kiroku/domain/smtp-client/types.js';
import type { Failure } from './connector.js';
import { type Entry, forwarderOf } from './entry.js';

/** Recipients of one message that share a transaction. */
export interface Job {
  readonly entries: readonly Entry[];
  /** Epoch ms. */
  readonly since: number;
  /** The host that the claim names; '' = none. */
  readonly host: string;
}

export const firstOf = ({ entries }: Pick<Job, 'entries'>): Entry => entries[0] as Entry;

/** What the conversation is to send. @param sealer asked about what is forwarded. */
export function outbound(job: Job, bodies: Pick<ObjectStore, 'read'>, sealer?: Sealer): OutboundMessage {
  const { message, row, messageId } = firstOf(job);
  const { sha256, size, at, body, smtputf8, requireTls, ret, envid } = message;
  const forwarder = forwarderOf(row);
  const trace = Buffer.from(forwarder === undefined ? message.trace : `Delivered-To: ${forwarder}\r\n${message.trace}`, 'utf8');
  const sender = row.envelope_sender ?? message.sender;
  return {
    sender, size: trace.length + size, body, smtputf8, requireTls, ...(ret && { ret }), ...(envid !== undefined && { envid }),
    recipients: job.entries.map(({ row: { address, notify, orcpt } }) =>
      ({ address, ...(notify !== null && { notify: JSON.parse(notify) as Notify[] }), ...(orcpt !== null && { orcpt }) })),
    async *content() {
      if (trace.length > 0) yield trace;
      yield* bodies.read({ sha256, size, ...(at !== undefined && { at }) });
    },
    ...(sealer && isForwarded(message, forwarder) && { seal: (content) => sealer.seal({ messageId, message, sender, forwarder, content }) }),
  };
}

type Talked = Pick<ClientConversation, 'source' | 'tls'>;

/** @param host and talked as far as it got. */
export function attemptOf(
  entries: readonly Entry[], route: Route, results: readonly AttemptResult[], duration: number, host?: Host, talked?: Talked,
): Attempt {
  return {
    messageId: firstOf({ entries }).messageId, ...(host && { host: host.name, ip: host.ip, port: host.port }), ...(talked && { source: talked.source }), route: route.kind,
    ...(talked?.tls && { tls: { version: talked.tls.version, cipher: talked.tls.cipher, verified: talked.tls.verified } }), duration: Math.max(0, duration), results,
  };
}

/** The same result for all: nothing was sent. */
export const unsent = (entries: readonly Entry[], { outcome, cause, reply, phase }: Failure): readonly AttemptResult[] =>
  entries.map(({ row }) => ({ address: row.address, outcome, cause, reply, phase }));
