import { canonical, canonicalDomain, domainOf, formatAddress, parseAddress } from '../mail/address.js';
import type { Account, AccountSettings } from './account.js';
import { linesOf } from './tsv-text.js';

/**
 * Account lists of E-Post (seed-details A12): tab-separated, no header line, 8 or 10 columns: account, password, full name, domain,
 * home folder, SMTP AUTH, APOP, mailbox limit (bytes, 0 = none), and in current versions POP3, IMAP4. Flags are 0 or 1.
 */
export type Password =
  | { readonly kind: 'plain'; readonly password: string }
  /** Written by `exportRow`: opens with the same server key, for the account that had it. */
  | { readonly kind: 'protected'; readonly owner: string; readonly sealed: string };

export interface ListedAccount {
  /** Canonical. */
  readonly address: string;
  readonly password: Password;
  /** Home folder is read over: our mailboxes have none. */
  readonly settings: Omit<AccountSettings, 'credentials'>;
}

export type RowError =
  | 'columns' | 'too-long' | 'too-many-rows' | 'bad-account' | 'bad-domain' | 'no-password' | 'bad-password' | 'bad-name' | 'bad-flag' | 'bad-limit' | 'no-such-domain' | 'domain-limit';

/** `line` counts from 1. */
export type ParsedRow =
  | { readonly line: number; readonly ok: true; readonly account: ListedAccount }
  | { readonly line: number; readonly ok: false; readonly error: RowError; readonly detail: string };

export const MOST_ROWS = 100_000;
/** Characters; protected credentials may have 8192. */
const LONGEST_LINE = 12_000;
const FULL_NAME = 200;
/** Characters; and what `makeCredentials` takes. */
const PASSWORD = 128;
const PROTECTED = '{KIROKU}';
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

class Bad extends Error {
  constructor(readonly error: RowError, readonly detail: string) {
    super(error);
  }
}

/**
 * Reads a list. Blank lines are skipped; a bad row is an error of its own and stops nothing, but the row after the 100,000th ends the reading.
 * @param domain overrides the rows' domain column (as E-Post does).
 */
export function* parseList(text: string, domain?: string): Generator<ParsedRow> {
  let rows = 0;
  for (const { number, line } of linesOf(text)) {
    if (line.trim() === '') continue;
    if (++rows > MOST_ROWS) {
      yield { line: number, ok: false, error: 'too-many-rows', detail: `at most ${MOST_ROWS}` };
      return;
    }
    yield parseRow(line, number, domain);
  }
}

function parseRow(text: string, line: number, domain?: string): ParsedRow {
  try {
    if (text.length > LONGEST_LINE) throw new Bad('too-long', `${text.length} characters, at most ${LONGEST_LINE}`);
    return { line, ok: true, account: listed(text.split('\t'), domain) };
  } catch (bad) {
    if (!(bad instanceof Bad)) throw bad;
    return { line, ok: false, error: bad.error, detail: bad.detail };
  }
}

function listed(columns: readonly string[], domain?: string): ListedAccount {
  if (columns.length !== 8 && columns.length !== 10) throw new Bad('columns', `${columns.length}, expected 8 or 10`);
  const [account = '', password = '', fullName = '', ownDomain = '', , smtp = '', apop = '', limit = '', pop3 = '', imap = ''] = columns;
  const name = unquoted(fullName.trim());
  if (name.length > FULL_NAME || !name.isWellFormed() || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) throw new Bad('bad-name', `at most ${FULL_NAME} characters, no control characters`);
  return {
    address: addressOf(account.trim(), domain ?? ownDomain.trim()),
    password: passwordOf(unquoted(password)),
    settings: {
      fullName: name,
      smtp: flag('SMTP AUTH', smtp, true),
      reversible: flag('APOP', apop, false),
      quota: bytes(limit.trim()),
      pop3: flag('POP3', pop3, true),
      imap: flag('IMAP4', imap, true),
    },
  };
}

function addressOf(account: string, domain: string): string {
  if (canonicalDomain(domain) === undefined) throw new Bad('bad-domain', domain);
  const address = canonical(`${account}@${domain}`);
  if (address === undefined || address.includes('*')) throw new Bad('bad-account', account);
  return address;
}

/**
 * A field as it was before a spreadsheet saved it. Excel puts what holds a comma or a quote into quotes and doubles the quotes in it;
 * other quotes are the field's own and stay. E-Post quotes nothing.
 */
function unquoted(text: string): string {
  const [, inner] = /^"((?:[^"]|"")*)"$/s.exec(text) ?? [];
  return inner !== undefined && /[",]/.test(inner) ? inner.replaceAll('""', '"') : text;
}

/** Text that would be taken for a spreadsheet's is written as one would. */
const quoted = (text: string): string => (unquoted(text) === text ? text : `"${text.replaceAll('"', '""')}"`);

/** A refusal never repeats a password. */
function passwordOf(text: string): Password {
  if (text === '') throw new Bad('no-password', '');
  if (text.startsWith(PROTECTED)) {
    const [, owner, sealed] = new RegExp(`^(${UUID}):([\\x21-\\x7e]+)$`).exec(text.slice(PROTECTED.length)) ?? [];
    if (owner === undefined || sealed === undefined) throw new Bad('bad-password', 'the protected password is damaged');
    return { kind: 'protected', owner, sealed };
  }
  if (text.length > PASSWORD || !text.isWellFormed() || /\p{Cc}/u.test(text)) throw new Bad('bad-password', `at most ${PASSWORD} characters, no control characters`);
  return { kind: 'plain', password: text };
}

/** An empty flag is the default of a new account. */
function flag(name: string, text: string, byDefault: boolean): boolean {
  const value = text.trim();
  if (!['', '0', '1'].includes(value)) throw new Bad('bad-flag', `${name}: expected 0 or 1`);
  return value === '' ? byDefault : value === '1';
}

function bytes(text: string): number {
  const limit = text === '' ? 0 : Number(text);
  if (!/^\d*$/.test(text) || !Number.isSafeInteger(limit)) throw new Bad('bad-limit', 'expected bytes');
  return limit;
}

/** What an import would do with a row. Existing accounts are never overwritten (E-Post's rule). */
export type RowPlan =
  | { readonly line: number; readonly result: 'new'; readonly account: ListedAccount }
  /** `first`: the line that names it before; absent when the directory has it. */
  | { readonly line: number; readonly result: 'duplicate'; readonly address: string; readonly first?: number }
  | { readonly line: number; readonly result: 'error'; readonly error: RowError; readonly detail: string };

/** What the directory holds, as far as the list's addresses are concerned. */
export interface Present {
  /** Addresses in use by accounts or aliases; canonical. */
  readonly taken: ReadonlySet<string>;
  readonly domains: ReadonlyMap<string, { readonly accounts: number; readonly accountLimit: number }>;
}

/** The import without its effect (dry run). Between plan and import others may be faster: `addAccounts` has the last word. */
export function planImport(rows: Iterable<ParsedRow>, { taken, domains }: Present): readonly RowPlan[] {
  const seen = new Map<string, number>();
  const added = new Map<string, number>();
  return Array.from(rows, (row): RowPlan => {
    const { line } = row;
    if (!row.ok) return { line, result: 'error', error: row.error, detail: row.detail };
    const { address } = row.account;
    const domain = domainOf(address);
    const known = domains.get(domain);
    if (known === undefined) return { line, result: 'error', error: 'no-such-domain', detail: domain };
    const first = seen.get(address);
    if (taken.has(address) || first !== undefined) return { line, result: 'duplicate', address, ...(first !== undefined && { first }) };
    const more = (added.get(domain) ?? 0) + 1;
    if (known.accountLimit > 0 && known.accounts + more > known.accountLimit)
      return { line, result: 'error', error: 'domain-limit', detail: `${domain}: ${known.accountLimit} accounts` };
    seen.set(address, line);
    added.set(domain, more);
    return { line, result: 'new', account: row.account };
  });
}

const bit = (value: boolean): string => (value ? '1' : '0');

/** One account in 10 columns, LF at the end. The password is useless without the server key; the home folder is empty. */
export function exportRow(account: Omit<Account, 'inbox' | 'enabled' | 'createdAt'>): string {
  const { accountId, address, domain, fullName, credentials, smtp, reversible, quota, pop3, imap } = account;
  const columns = [
    accountColumn(address), `${PROTECTED}${accountId}:${credentials}`, quoted(fullName), domain, '', bit(smtp), bit(reversible), String(quota), bit(pop3), bit(imap),
  ];
  return `${columns.join('\t')}\n`;
}

/** The local part as it must be written: in quotes where it needs them. */
function accountColumn(address: string): string {
  const parts = parseAddress(address);
  return parts ? formatAddress(parts).slice(0, -parts.domain.length - 1) : address;
}
