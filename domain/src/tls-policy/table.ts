import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import type { Aggregate } from '../kernel/execute.js';
import { parseBlock } from '../mail/ip.js';
import { TLS_MODES, TLS_VERSIONS, type TlsRow, type TlsTable } from './row.js';
import { canonicalPeer } from './peer.js';

/** Stream `tls-policy`: how connections are encrypted, row by row. The first row that fits a peer counts. */
export const TLS_POLICY_STREAM = 'tls-policy';

/** One of the three. A row that is put takes the place of the one with its peer; `at` counts from 0, after that one is gone. */
export type TlsPolicyEvent = Fact<
  'TlsPolicyChanged',
  { readonly put?: { readonly row: TlsRow; readonly at: number }; readonly removed?: string; readonly neverOffered?: readonly string[] }
>;

type Changes = { readonly mode?: TlsRow['mode'] | undefined } & { readonly [K in 'min' | 'max' | 'note']?: TlsRow[K] | null | undefined };

/** `before`: the peer of the row to stand in front of; null = last. Left out, a new row comes last and a known one stays. */
export type TlsPolicyCommand =
  | { readonly type: 'AddTlsRow'; readonly row: TlsRow; readonly before?: string | null | undefined }
  /** What is left out stays; null takes it away. */
  | { readonly type: 'ChangeTlsRow'; readonly peer: string; readonly changes: Changes; readonly before?: string | null | undefined }
  | { readonly type: 'RemoveTlsRow'; readonly peer: string }
  /** Addresses and CIDR blocks of clients that this server does not offer STARTTLS to. */
  | { readonly type: 'ChangeNeverOffered'; readonly add?: readonly string[] | undefined; readonly remove?: readonly string[] | undefined };

export type TlsPolicyRefusal = 'bad-tls-row' | 'tls-row-exists' | 'no-such-tls-row' | 'too-many-tls-rows';

const MOST_ROWS = 500;
const MOST_BLOCKS = 10_000;
const LONGEST_NOTE = 200;

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const refuse = (reason: TlsPolicyRefusal, detail: string): never => {
  throw new Refusal<TlsPolicyRefusal>(reason, detail);
};

export const tlsPolicy: Decider<TlsPolicyCommand, TlsPolicyEvent, TlsTable> = {
  initial: { rows: [], neverOffered: [] },

  decide(command, state) {
    switch (command.type) {
      case 'AddTlsRow': {
        const row = checked(command.row);
        const known = state.rows.find(({ peer }) => peer === row.peer);
        if (known && !same(known, row)) refuse('tls-row-exists', row.peer);
        if (!known && state.rows.length >= MOST_ROWS) refuse('too-many-tls-rows', `at most ${MOST_ROWS}`);
        return put(state, row, command.before);
      }
      case 'ChangeTlsRow': {
        const known = find(state, command.peer);
        return put(state, checked({ ...known, ...dropUndefined(command.changes) }), command.before);
      }
      case 'RemoveTlsRow':
        return [changed({ removed: find(state, command.peer).peer })];
      case 'ChangeNeverOffered':
        return changeNeverOffered(command, state);
    }
  },

  evolve(state, { data: { put: added, removed, neverOffered } }) {
    const gone = added?.row.peer ?? removed;
    const rows = gone === undefined ? state.rows : state.rows.filter(({ peer }) => peer !== gone);
    return { rows: added ? rows.toSpliced(added.at, 0, added.row) : rows, neverOffered: neverOffered ?? state.neverOffered };
  },
};

export const tlsPolicyAggregate: Aggregate<TlsPolicyCommand, TlsPolicyEvent, TlsTable> = { decider: tlsPolicy, upgrades: {} };

const changed = (data: TlsPolicyEvent['data']): TlsPolicyEvent => ({ type: 'TlsPolicyChanged', data });

function changeNeverOffered({ add = [], remove = [] }: Extract<TlsPolicyCommand, { type: 'ChangeNeverOffered' }>, { neverOffered }: TlsTable): readonly TlsPolicyEvent[] {
  const bad = add.find((block) => block.length > 100 || parseBlock(block) === undefined);
  if (bad !== undefined) refuse('bad-tls-row', `${bad.slice(0, 100)} is neither an address nor a CIDR block`);
  const gone = new Set(remove.map((block) => block.toLowerCase()));
  const blocks = [...new Set([...neverOffered, ...add.map((block) => block.toLowerCase())])].filter((block) => !gone.has(block));
  if (blocks.length > MOST_BLOCKS) refuse('bad-tls-row', `at most ${MOST_BLOCKS} addresses or CIDR blocks`);
  return same(blocks, neverOffered) ? [] : [changed({ neverOffered: blocks })];
}

function put(state: TlsTable, row: TlsRow, before: string | null | undefined): readonly TlsPolicyEvent[] {
  const others = state.rows.filter(({ peer }) => peer !== row.peer);
  const now = state.rows.findIndex(({ peer }) => peer === row.peer);
  const at = place(others, now, before);
  return same(state.rows[now], row) && at === now ? [] : [changed({ put: { row, at } })];
}

function place(others: readonly TlsRow[], now: number, before: string | null | undefined): number {
  if (before === undefined) return now < 0 ? others.length : now;
  if (before === null) return others.length;
  const at = others.findIndex(({ peer }) => peer === canonicalPeer(before));
  return at < 0 ? refuse('no-such-tls-row', before.slice(0, 300)) : at;
}

function find(state: TlsTable, peer: string): TlsRow {
  return state.rows.find((row) => row.peer === canonicalPeer(peer)) ?? refuse('no-such-tls-row', peer.slice(0, 300));
}

const dropUndefined = (changes: Changes): object => Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));

/** The row as it is kept. @throws Refusal `bad-tls-row`, in words. */
function checked(proposed: { readonly [K in keyof TlsRow]?: TlsRow[K] | null | undefined }): TlsRow {
  const { mode, min, max, note } = proposed;
  const peer = canonicalPeer(proposed.peer ?? '');
  if (peer === undefined) return refuse('bad-tls-row', 'peer: expected a domain, a host name, *.domain, an address, a CIDR block or *');
  if (mode == null || !TLS_MODES.includes(mode)) return refuse('bad-tls-row', `mode: expected one of ${TLS_MODES.join(', ')}`);
  for (const version of [min, max])
    if (version != null && !TLS_VERSIONS.includes(version)) refuse('bad-tls-row', `versions: expected one of ${TLS_VERSIONS.join(', ')}`);
  if (mode === 'off' && (min ?? max) != null) refuse('bad-tls-row', 'mode off uses no TLS: it goes with no versions');
  if (min != null && max != null && TLS_VERSIONS.indexOf(min) > TLS_VERSIONS.indexOf(max)) refuse('bad-tls-row', `versions: ${min} is newer than ${max}`);
  if (note != null && (note.length > LONGEST_NOTE || !note.isWellFormed() || /\p{Cc}/u.test(note)))
    refuse('bad-tls-row', `note: expected at most ${LONGEST_NOTE} characters, no control characters`);
  return { peer, mode, ...(min != null && { min }), ...(max != null && { max }), ...(note && { note }) };
}
