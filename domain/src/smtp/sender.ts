import { Refusal } from '../kernel/decider.js';
import type { Directory, Resolved } from '../mail/directory-port.js';
import type { Reason } from './replies.js';
import type { Login } from './session.js';

/** How far a login must match the sender; see settings. */
export type Trust = 'login' | 'envelope' | 'header';

const DEPTH = 4;

/** Whether two addresses are the same to us: our directory treats local parts and domains without regard to case. */
export const sameAddress = (a: string, b: string): boolean => a.length === b.length && a.toLowerCase() === b.toLowerCase();

/**
 * Whether the address belongs to that account: its own, with or without a tag, or an alias that leads to this account and to nobody else.
 * A shared alias is nobody's own: else each member of a list could speak for all of it.
 */
export async function isOwn(directory: Directory, { account, address }: Login, claimed: string): Promise<boolean> {
  if (sameAddress(address, claimed)) return true;
  const [resolved] = await directory.lookup([claimed]);
  return resolved !== undefined && leadsTo(directory, account, resolved, DEPTH);
}

async function leadsTo(directory: Directory, account: string, resolved: Resolved, depth: number): Promise<boolean> {
  if (resolved.kind === 'account') return resolved.account.id === account;
  // Own aliases have a few targets at most; a long list is shared.
  if (resolved.kind !== 'alias' || depth === 0 || resolved.targets.length === 0 || resolved.targets.length > 10) return false;
  for (const target of await directory.lookup(resolved.targets.map((t) => t.address)))
    if (!(await leadsTo(directory, account, target, depth - 1))) return false;
  return true;
}

/**
 * Whether this login may use that envelope sender. The null sender is anyone's: receipts need it (RFC 8098 §3).
 * @throws Refusal `sender-not-local` (level `login`), `sender-not-yours` (the others).
 */
export async function checkSender(directory: Directory, trust: Trust, login: Login, sender: string): Promise<void> {
  if (sender === '') return;
  if (trust !== 'login') {
    if (!(await isOwn(directory, login, sender))) throw new Refusal<Reason>('sender-not-yours', `${login.address} as ${sender}`);
    return;
  }
  if (sameAddress(login.address, sender)) return;
  const kind = (await directory.lookup([sender]))[0]?.kind ?? 'remote';
  if (kind === 'remote' || kind === 'domain-disabled') throw new Refusal<Reason>('sender-not-local', `${login.address} as ${sender}`);
}

/**
 * Level `header`: every address in From must be the login's own.
 * @param from addresses of the From field; undefined when it could not be read, [] when there is none (one is added then).
 * @throws Refusal `header-from-not-yours`.
 */
export async function checkHeaderFrom(directory: Directory, login: Login, from: readonly string[] | undefined): Promise<void> {
  // More than ten authors is no letter of one person, and each costs a look into the directory.
  if (from === undefined || from.length > 10) throw new Refusal<Reason>('header-from-not-yours', `${login.address}: unreadable From`);
  for (const address of from)
    if (!(await isOwn(directory, login, address))) throw new Refusal<Reason>('header-from-not-yours', `${login.address} as ${address.slice(0, 320).toWellFormed()}`);
}
