import { createHash } from 'node:crypto';
import { messageStream } from '@kiroku/domain/delivery/delivery.js';
import type { QueuedMessage, QueuedRecipient, QueueEvent } from '@kiroku/domain/delivery/queue-events.js';
import { type QueueRow, queueView } from '@kiroku/domain/delivery/queue-view.js';
import { DEFAULT_RETRY_SETTINGS } from '@kiroku/domain/delivery/retry-settings.js';
import type { Recorded } from '@kiroku/domain/kernel/event.js';
import { record } from '@kiroku/domain/kernel/execute.js';
import type { Host } from '@kiroku/domain/routing/hosts.js';
import {
  type ClientConversation, ConnectFailed, type OpenConversation, type OutboundMessage, type SendResult, type Target,
} from '@kiroku/domain/smtp-client/types.js';
import { Hints } from '@kiroku/infra/event-log/hints.js';
import { MemoryObjectStore } from '@kiroku/infra/object-store/memory.js';
import { PostgresQueue } from '@kiroku/infra/read-model/queue.js';
import type { Member, TestHistory } from '@kiroku/infra/read-model/testing.js';
import type { OutboundPorts, OutboundSettings } from './ports.js';
import { Outbound } from './scheduler.js';

/** One transaction as a server saw it. */
export interface Seen { readonly host: string; readonly conversation: number; readonly sender: string; readonly recipients: readonly string[]; readonly text: string }

/** How a host behaves. What is left out is friendly. */
export interface Behaviour {
  /** Throws, or waits, when somebody connects. */
  connect?(target: Target): void | Promise<void>;
  /** A reply for each recipient, or one for all; may wait. 2xx delivers, 4xx defers, 5xx refuses. `break` ends the connection unheard. */
  answer?(recipient: string, message: OutboundMessage, sentBefore: number): string | { readonly phase: string; readonly reply: string; readonly close?: true };
  /** Waited for before answering. */
  gate?(message: OutboundMessage): void | Promise<void>;
}

/** Servers in memory: conversations that behave by script, and a record of what was said. */
export class World {
  readonly hosts = new Map<string, Behaviour>();
  /** Where nothing is said about a host. */
  otherwise: (target: Target) => Behaviour = () => ({});
  readonly seen: Seen[] = [];
  /** Connections now, and the most at a time, by host. */
  readonly open = new Map<string, number>();
  readonly most = new Map<string, number>();
  connections = 0;
  quits = 0;
  targets: Target[] = [];

  readonly connect: OpenConversation = async (target, signal) => {
    const behaviour = this.hosts.get(target.name) ?? this.otherwise(target);
    this.targets.push(target);
    const givenUp = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(new ConnectFailed('greeting', 'deferred', 'line', '450 4.4.1 Given up')));
    });
    await Promise.race([behaviour.connect?.(target), givenUp]);
    const now = (this.open.get(target.name) ?? 0) + 1;
    this.open.set(target.name, now);
    this.most.set(target.name, Math.max(now, this.most.get(target.name) ?? 0));
    return new Talk(this, target, behaviour, ++this.connections);
  };

  /** Recipients that were told 250, in order. */
  get delivered(): readonly string[] {
    return this.seen.flatMap((s) => s.recipients);
  }
}

export const unreachable = (reply = '451 4.4.1 Connection refused'): never => {
  throw new ConnectFailed('connect', 'deferred', 'no-answer', reply);
};

class Talk implements ClientConversation {
  readonly source = '192.0.2.9';
  readonly tls: ClientConversation['tls'];
  sent = 0;
  usable = true;

  constructor(
    private readonly world: World,
    readonly target: Target,
    private readonly behaviour: Behaviour,
    private readonly number: number,
  ) {
    const { mode, verify } = target.tls;
    this.tls = mode === 'off' ? undefined : { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', verified: verify };
  }

  async send(message: OutboundMessage): Promise<readonly SendResult[]> {
    const sentBefore = this.sent++;
    await this.behaviour.gate?.(message);
    const parts: Uint8Array[] = [];
    try {
      for await (const part of message.content()) parts.push(part);
    } catch (error) {
      return message.recipients.map(({ address }) => ({ address, outcome: 'deferred', cause: 'local', reply: `451 4.3.0 ${String(error)}`, phase: 'DATA' }));
    }
    const text = Buffer.concat(parts).toString('utf8');
    if (text.length !== message.size) throw new Error(`announced ${message.size}, sent ${text.length}`);
    const results = message.recipients.map(({ address }): SendResult => {
      const answer = this.behaviour.answer?.(address, message, sentBefore) ?? '250 2.1.5 Ok';
      if (answer === 'break') {
        this.usable = false;
        return { address, outcome: 'unknown', cause: 'line', reply: '451 4.4.2 Connection lost', phase: 'end-of-data' };
      }
      const { reply, phase } = typeof answer === 'string' ? { reply: answer, phase: 'RCPT' } : answer;
      if (typeof answer === 'object' && answer.close) this.usable = false;
      if (reply.startsWith('2')) return { address, outcome: 'delivered', reply, phase: 'end-of-data', relayed: true };
      return reply.startsWith('4') ? { address, outcome: 'deferred', cause: 'line', reply, phase } : { address, outcome: 'refused', cause: 'refused', reply, phase };
    });
    const recipients = results.filter((r) => r.outcome === 'delivered').map((r) => r.address);
    if (recipients.length > 0) this.world.seen.push({ host: this.target.name, conversation: this.number, sender: message.sender, recipients, text });
    return results;
  }

  quit(): Promise<void> {
    if (this.#gone) return Promise.resolve();
    this.#gone = true;
    this.usable = false;
    this.world.quits++;
    this.world.open.set(this.target.name, (this.world.open.get(this.target.name) ?? 1) - 1);
    return Promise.resolve();
  }
  #gone = false;
}

export const SETTINGS: OutboundSettings = { concurrency: 20, sessions: 100, retry: DEFAULT_RETRY_SETTINGS, perMinute: () => 0 };

/** `mx.<domain>` for every domain. */
export const mxOf = (domain: string, preference = 10): Host => ({ name: `mx.${domain}`, ip: `mx.${domain}`, port: 25, preference, secure: false });

const BODY = Buffer.from('Subject: x\r\n\r\nHello\r\n');
/** A body that the store of every rig has. */
const STORED = { sha256: createHash('sha256').update(BODY).digest('hex'), size: BODY.length };

function bodies(): MemoryObjectStore {
  const store = new MemoryObjectStore();
  const writer = store.create();
  void writer.write(BODY);
  void writer.commit();
  return store;
}

/** One delivery process on a test database, with a world of its own or a shared one. */
export interface Rig {
  readonly member: Member;
  readonly hints: Hints;
  readonly queue: PostgresQueue;
  readonly ports: OutboundPorts;
  readonly outbound: Outbound;
  close(): Promise<void>;
}

export function rig(history: TestHistory, world: World, changes: Partial<OutboundPorts> = {}, capacity?: number): Rig {
  const member = history.another();
  const trouble = (error: unknown): void => void member.troubles.push(error);
  const hints = new Hints(history.connection, member.pool, trouble);
  const queue = new PostgresQueue(member.pool, hints, member.engine.ids.uuid());
  const ports: OutboundPorts = {
    engine: member.engine, queue, trouble, bodies: bodies(), open: world.connect, owns: () => true,
    changes: { seen: () => hints.seen('decision', 0), wait: (since, signal) => hints.wait('decision', 0, since, signal) },
    route: ({ destination }) => ({ kind: 'mx', domain: destination }),
    hosts: async (route) => ({ kind: 'hosts', hosts: [mxOf(route.kind === 'mx' ? route.domain : route.host)] }),
    tls: { demandsFor: async ({ host }) => ({ kind: 'demands', demands: [{ mode: 'off', verify: 'no', names: [host.name] }] }), failed: () => undefined },
    credentials: async () => undefined, helo: () => 'mail.here.test', pool: () => undefined, sources: () => [], mayDeliver: () => true,
    settings: () => SETTINGS, chance: () => 0.5, ...changes,
  };
  const outbound = new Outbound(ports, capacity);
  return {
    member, hints, queue, ports, outbound,
    close: async () => {
      await outbound.stop(2_000);
      await queue.close();
      await hints.close();
      await member.close();
    },
  };
}

let count = 0;
/** Puts a message into the queue. @returns its id. */
export async function enqueue(
  { engine }: Pick<Member, 'engine'>, addresses: readonly (string | QueuedRecipient)[], message: Partial<QueuedMessage> = {}, priority = 0,
): Promise<string> {
  const messageId = `M${String(++count).padStart(8, '0')}`;
  await engine.store.append([{ stream: messageStream(messageId), expected: 0, events: [queuedEvent(engine, messageId, addresses, message, priority)] }]);
  return messageId;
}

export const nextId = (): string => `M${String(++count).padStart(8, '0')}`;

export function queuedEvent(
  engine: Member['engine'], messageId: string, addresses: readonly (string | QueuedRecipient)[], message: Partial<QueuedMessage> = {}, priority = 0,
): Recorded {
  const fact: QueueEvent = {
    type: 'MessageQueued',
    data: {
      messageId, priority, recipients: addresses.map((a) => (typeof a === 'string' ? { address: a, recipient: a, via: [] } : a)),
      message: {
        sender: 'ann@here.test', ...STORED, trace: 'Received: by here\r\n', body: '7BIT', smtputf8: false, requireTls: false, hops: 0,
        acceptedAt: engine.clock.now(), ...message,
      },
    },
  };
  return record([fact], engine, { actor: 'system:test', correlation: messageId }, {})[0] as Recorded;
}

export async function rowsOf({ pool }: Pick<Member, 'pool'>, messageId?: string): Promise<readonly QueueRow[]> {
  const { rows } = await pool.query<QueueRow>(
    `SELECT ${Object.keys(queueView.columns).join(', ')} FROM view.queue_1 WHERE $1::text IS NULL OR message_id = $1 ORDER BY message_id, address`, [messageId ?? null]);
  return rows;
}

export const claimsIn = async ({ pool }: Pick<Member, 'pool'>): Promise<number> =>
  (await pool.query<{ n: number }>('SELECT count(*) AS n FROM ops.sending')).rows[0]?.n ?? -1;
