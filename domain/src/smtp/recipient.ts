import { Refusal } from '../kernel/decider.js';
import type { Directory, Resolved } from '../mail/directory-port.js';
import type { Reason } from './replies.js';

/** Alias in alias in alias …: deeper or wider than this is left to delivery, which reports loops. */
const DEPTH = 4;
const LOOKUPS = 50;

export interface RecipientQuestion {
  /** With a domain. */
  readonly address: string;
  /** Bytes that the client announced; 0 = not said. */
  readonly size: number;
  /** Envelope sender, '' for none: tells whether a refused relay was tried under one of our own addresses. */
  readonly sender: string;
  /** The client has logged in or comes from a trusted address. */
  readonly mayRelay: boolean;
}

/** What is asked about recipients on other servers, and about no others. */
export interface Outward {
  /** Recipients of a relay domain; `elsewhere`: it is none (any more). */
  verify(address: string): Promise<'yes' | 'no' | 'temporary' | 'elsewhere'>;
  /** As many wait for other servers as may. */
  full(): boolean | Promise<boolean>;
}

/**
 * Whether mail for this address is taken.
 * @throws Refusal `unknown-recipient`, `account-disabled`, `domain-disabled`, `mailbox-full`, `relay-denied`, `local-sender-unauthenticated`,
 * `recipient-unverified`, `queue-full`.
 * @throws any other error when the directory or `outward` cannot answer.
 */
export async function checkRecipient(directory: Directory, outward: Outward, question: RecipientQuestion): Promise<void> {
  const { address, size, sender } = question;
  const [resolved] = await directory.lookup([address]);
  if (resolved === undefined || resolved.kind === 'remote') return checkRemote(directory, outward, question, resolved?.relay === true);
  if (resolved.kind === 'account') {
    const no = accountProblem(resolved, size);
    if (no) throw new Refusal<Reason>(no);
    return;
  }
  // Else whoever has seen such an address could write to the one behind it, through us.
  if (resolved.kind === 'alias' && resolved.reversed && sender !== '') throw new Refusal<Reason>('unknown-recipient', 'a rewritten address takes reports only');
  const no = await problem(directory, resolved, size, DEPTH, { left: LOOKUPS });
  if (no) throw new Refusal<Reason>(no, resolved.kind === 'alias' ? `targets of alias ${resolved.alias}` : undefined);
}

async function checkRemote(directory: Directory, outward: Outward, { address, sender, mayRelay }: RecipientQuestion, relay: boolean): Promise<void> {
  const denied = async (): Promise<never> => {
    throw new Refusal<Reason>((await isOurs(directory, sender)) ? 'local-sender-unauthenticated' : 'relay-denied');
  };
  if (!mayRelay && !relay) return denied();
  if (await outward.full()) throw new Refusal<Reason>('queue-full');
  if (!relay) return;
  switch (await outward.verify(address)) {
    case 'yes':
      return;
    case 'no':
      throw new Refusal<Reason>('unknown-recipient', 'not a recipient of the relay domain');
    case 'temporary':
      // Those we can report to need not wait for a server that is away: that is what the queue is for.
      if (!mayRelay) throw new Refusal<Reason>('recipient-unverified');
      return;
    case 'elsewhere':
      return mayRelay ? undefined : denied();
  }
}

async function isOurs(directory: Directory, address: string): Promise<boolean> {
  if (!address.includes('@')) return false;
  const [resolved] = await directory.lookup([address]);
  return resolved !== undefined && resolved.kind !== 'remote';
}

type Problem = 'unknown-recipient' | 'account-disabled' | 'domain-disabled' | 'mailbox-full';

function accountProblem({ account }: Extract<Resolved, { kind: 'account' }>, size: number): Problem | undefined {
  if (!account.enabled) return 'account-disabled';
  return account.quota > 0 && (account.used >= account.quota || account.used + size > account.quota) ? 'mailbox-full' : undefined;
}

/** An alias is deliverable when one of its targets is. A temporary problem outweighs permanent ones: the sender should try again. */
async function problem(directory: Directory, resolved: Resolved, size: number, depth: number, budget: { left: number }): Promise<Problem | undefined> {
  switch (resolved.kind) {
    case 'account':
      return accountProblem(resolved, size);
    case 'unknown':
      return 'unknown-recipient';
    case 'domain-disabled':
      return 'domain-disabled';
    case 'remote':
      return undefined; // the administrator pointed the alias there
    case 'alias': {
      if (depth === 0 || budget.left-- <= 0) return undefined;
      let worst: Problem | undefined;
      for (const target of await directory.lookup(resolved.targets.map(({ address }) => address))) {
        const no = await problem(directory, target, size, depth - 1, budget);
        if (no === undefined) return undefined;
        if (worst === undefined || no === 'mailbox-full') worst = no;
      }
      return worst ?? 'unknown-recipient';
    }
  }
}
