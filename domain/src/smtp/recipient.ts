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

/**
 * Whether mail for this address is taken.
 * @throws Refusal `unknown-recipient`, `account-disabled`, `domain-disabled`, `mailbox-full`, `relay-denied`, `local-sender-unauthenticated`.
 * @throws any other error when the directory cannot answer.
 */
export async function checkRecipient(directory: Directory, { address, size, sender, mayRelay }: RecipientQuestion): Promise<void> {
  const [resolved] = await directory.lookup([address]);
  if (resolved === undefined || resolved.kind === 'remote') {
    if (!mayRelay) throw new Refusal<Reason>((await isOurs(directory, sender)) ? 'local-sender-unauthenticated' : 'relay-denied');
    return;
  }
  if (resolved.kind === 'account') {
    const no = accountProblem(resolved, size);
    if (no) throw new Refusal<Reason>(no);
    return;
  }
  const no = await problem(directory, resolved, size, DEPTH, { left: LOOKUPS });
  if (no) throw new Refusal<Reason>(no, resolved.kind === 'alias' ? `targets of alias ${resolved.alias}` : undefined);
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
