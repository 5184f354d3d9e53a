import { type Decider, Refusal } from '../kernel/decider.js';
import type { Aggregate } from '../kernel/execute.js';
import { canonicalDomain, parseAddress } from '../mail/address.js';
import { canonicalIp } from '../mail/ip.js';
import type { DeliveryEvent } from './delivery.js';
import { noticeOwed } from './notices.js';
import { isPriority } from './priority.js';
import type { QueuedMessage, QueuedRecipient, QueueEvent } from './queue-events.js';
import { isReason } from './reason.js';

/** What people do to recipients that wait. `addresses` names them as the queue does; without it all of the message are meant. */
interface Several {
  readonly messageId: string;
  readonly addresses?: readonly string[];
  /** In their own words, for the story; needed. */
  readonly reason: string;
}
export type QueueCommand =
  | (Several & { readonly type: 'Hold' | 'Release' | 'Retry' | 'Bounce' | 'Remove' })
  /** To `host:port` (`[2001:db8::1]:25`, `mx.test:465*` for implicit TLS); '' takes that back. */
  | (Several & { readonly type: 'Reroute'; readonly route: string })
  /** Lower first; see priority.ts for the limits. */
  | (Several & { readonly type: 'Prioritize'; readonly priority: number })
  | { readonly type: 'Change'; readonly messageId: string; readonly address: string; readonly to: string; readonly reason: string };

/** Of a queue command that cannot be done. */
export type QueueRefusal =
  | 'unknown-recipient' // not, or no longer, in the queue
  | 'not-queued-yet' // queued by release 0.1, and not taken over yet
  | 'already-held' | 'not-held' | 'held' // a held one is released, not retried
  | 'bad-route' | 'same-route' | 'bad-priority' | 'same-priority' | 'bad-address' | 'same-address' | 'already-a-recipient' | 'bad-reason';

export interface InQueue {
  readonly recipient: QueuedRecipient;
  readonly held: boolean;
  readonly route: string;
  readonly priority: number;
}
/** A message's recipients that wait, by address. */
export interface QueueState {
  /** Undefined until the message is queued by this release. */
  readonly message: QueuedMessage | undefined;
  readonly priority: number;
  readonly waiting: ReadonlyMap<string, InQueue>;
}

type Event = DeliveryEvent | QueueEvent;
const BY_PEOPLE = '554 5.7.1 Delivery was cancelled by an administrator';

/** Where an administrator sends mail instead. @returns undefined unless it is `host:port`, the host a name or an address. */
export function parseRoute(text: string): { readonly host: string; readonly port: number; readonly implicitTls: boolean } | undefined {
  const [, ipv6, name, digits, star] = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([^\s:[\]]{1,253})):(\d{1,5})(\*?)$/.exec(text) ?? [];
  const host = ipv6 === undefined ? name === undefined ? undefined : (canonicalIp(name) ?? canonicalDomain(name)) : canonicalIp(ipv6);
  const port = Number(digits);
  return host !== undefined && port >= 1 && port <= 65_535 ? { host, port, implicitTls: star === '*' } : undefined;
}

const NOBODY: ReadonlyMap<string, InQueue> = new Map();

export const queueDecider: Decider<QueueCommand, Event, QueueState> = {
  initial: { message: undefined, priority: 0, waiting: NOBODY },

  decide(command, state) {
    const { reason } = command;
    if (!isReason(reason)) throw refusal('bad-reason');
    if (command.type === 'Change') return change(command, state);
    if (command.type === 'Reroute' && command.route !== '' && !parseRoute(command.route)) throw refusal('bad-route', command.route);
    if (command.type === 'Prioritize' && !isPriority(command.priority)) throw refusal('bad-priority', String(command.priority).slice(0, 100));
    if (command.addresses) return [...new Set(command.addresses)].flatMap((address) => one(command, address, state));
    // Of all, those for which it means something; refused only when that is none.
    let no: unknown = refusal('unknown-recipient', command.messageId);
    const facts = [...state.waiting.keys()].flatMap((address) => {
      try {
        return one(command, address, state);
      } catch (error) {
        no = error;
        return [];
      }
    });
    if (facts.length === 0) throw no;
    return facts;
  },

  evolve(state, { type, data }) {
    const changed = (change: (waiting: Map<string, InQueue>) => void): QueueState => {
      // In place, once it is this state's own: a message may have ten thousand recipients and an event for each.
      const waiting = state.waiting === NOBODY ? new Map<string, InQueue>() : (state.waiting as Map<string, InQueue>);
      change(waiting);
      return { ...state, waiting };
    };
    const update = (address: string, changes: Partial<InQueue>): QueueState =>
      changed((waiting) => {
        const there = waiting.get(address);
        if (there) waiting.set(address, { ...there, ...changes });
      });
    switch (type) {
      case 'MessageQueued':
        return {
          ...changed((waiting) => data.recipients.forEach((recipient) =>
            waiting.set(recipient.address, { recipient, held: false, route: '', priority: recipient.priority ?? data.priority }))),
          message: data.message, priority: data.priority,
        };
      case 'RecipientRouted':
        return changed((waiting) => waiting.set(data.address, { recipient: data, held: false, route: '', priority: state.priority }));
      case 'DeliveryAttempted':
        return changed((waiting) => data.results.forEach(({ address, outcome }) => outcome === 'delivered' && waiting.delete(address)));
      case 'RecipientHeld':
        return update(data.address, { held: true });
      case 'RecipientReleased':
        return update(data.address, { held: false });
      case 'RecipientRerouted':
        return update(data.address, { route: data.route });
      case 'RecipientPrioritized':
        return update(data.address, { priority: data.priority });
      case 'RecipientChanged':
        return changed((waiting) => {
          waiting.delete(data.address);
          waiting.set(data.to, { recipient: data.recipient, held: data.held, route: '', priority: data.recipient.priority ?? data.priority });
        });
      case 'RecipientBounced':
      case 'RecipientExpired':
      case 'RecipientRemoved':
        return changed((waiting) => waiting.delete(data.address));
      case 'RetryRequested':
      case 'NoticeOwed':
      case 'NoticeSent':
      case 'MessageSubmitted':
        return state;
    }
  },
};

export const queueAggregate: Aggregate<QueueCommand, Event, QueueState> = { decider: queueDecider, upgrades: {} };

const refusal = (reason: QueueRefusal, detail?: string): Refusal<QueueRefusal> => new Refusal(reason, detail);

function found({ message, waiting }: QueueState, address: string): InQueue & { readonly message: QueuedMessage } {
  const there = waiting.get(address);
  if (!there) throw refusal('unknown-recipient', address);
  if (!message) throw refusal('not-queued-yet', address);
  return { ...there, message };
}

function one(command: Exclude<QueueCommand, { type: 'Change' }>, address: string, state: QueueState): readonly Event[] {
  const { recipient, held, route, priority, message } = found(state, address);
  const { messageId, reason } = command;
  const data = { messageId, address, reason };
  switch (command.type) {
    case 'Hold':
      if (held) throw refusal('already-held', address);
      return [{ type: 'RecipientHeld', data }];
    case 'Release':
      if (!held) throw refusal('not-held', address);
      return [{ type: 'RecipientReleased', data }];
    case 'Retry':
      if (held) throw refusal('held', address);
      return [{ type: 'RetryRequested', data }];
    case 'Reroute':
      if (command.route === route) throw refusal('same-route', address);
      return [{ type: 'RecipientRerouted', data: { ...data, route: command.route } }];
    case 'Prioritize':
      if (command.priority === priority) throw refusal('same-priority', address);
      return [{ type: 'RecipientPrioritized', data: { ...data, priority: command.priority } }];
    case 'Bounce': {
      const { recipient: envelope, via } = recipient;
      const said = { rule: 'bounced-by-administrator', reply: BY_PEOPLE };
      return [
        { type: 'RecipientBounced', data: { messageId, recipient: envelope, address, via, ...said, reason } },
        ...noticeOwed('failed', messageId, message, recipient, said),
      ];
    }
    case 'Remove':
      return [{ type: 'RecipientRemoved', data }];
  }
}

function change({ messageId, address, to, reason }: Extract<QueueCommand, { type: 'Change' }>, state: QueueState): readonly Event[] {
  const { recipient, held, priority, message } = found(state, address);
  if (!parseAddress(to)) throw refusal('bad-address', to);
  if (to === address) throw refusal('same-address', to);
  if (state.waiting.has(to)) throw refusal('already-a-recipient', to);
  const { priority: _, ...same } = recipient;
  const changed: QueuedRecipient = { ...same, address: to };
  return [{ type: 'RecipientChanged', data: { messageId, address, to, reason, recipient: changed, message, priority, held } }];
}
