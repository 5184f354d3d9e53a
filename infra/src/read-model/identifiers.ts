import { type AccessList, ANYONE, GROUP } from '@kiroku/domain/mailbox/rights.js';
import { canonical } from '@kiroku/domain/mail/address.js';
import type pg from 'pg';

/** Names by identifier, both without `-`: accounts by address, groups as `group:name`. Who is gone is absent. */
export type Names = ReadonlyMap<string, string>;

/** @param identifiers of access lists. */
export async function namesOf(pool: pg.Pool, identifiers: Iterable<string>): Promise<Names> {
  const accounts: string[] = [];
  const groups: string[] = [];
  for (const identifier of new Set(identifiers)) {
    const plain = identifier.replace(/^-/, '');
    if (plain.startsWith(GROUP)) groups.push(plain.slice(GROUP.length));
    else if (plain !== ANYONE) accounts.push(plain);
  }
  const { rows } = accounts.length + groups.length === 0 ? { rows: [] } : await pool.query<{ identifier: string; name: string }>({
    name: 'identifier-names',
    text: `SELECT id::text AS identifier, address AS name FROM view.account_1 WHERE id = ANY ($1::uuid[])
           UNION ALL SELECT '${GROUP}' || id, '${GROUP}' || name FROM view.group_1 WHERE id = ANY ($2::uuid[])`,
    values: [accounts, groups],
  });
  return new Map([[ANYONE, ANYONE], ...rows.map(({ identifier, name }) => [identifier, name] as const)]);
}

/** An entry's name for people; undefined when who it means is gone. */
export function nameOf(names: Names, identifier: string): string | undefined {
  const name = names.get(identifier.replace(/^-/, ''));
  return name === undefined ? undefined : identifier.startsWith('-') ? `-${name}` : name;
}

/**
 * The way back: an address, `anyone` or `group:name`, each with or without `-`. Undefined: there is nobody of that name.
 * @param list entries that are there; a group in it may be named whoever asks.
 * @param account who asks. Names of groups are for their members and for accounts of their domain: domains on one server may be strangers.
 * Undefined: an administrator.
 */
export async function identifierOf(pool: pg.Pool, text: string, list: AccessList, account: string | undefined): Promise<string | undefined> {
  const minus = text.startsWith('-') ? '-' : '';
  const name = text.slice(minus.length);
  if (name.toLowerCase() === ANYONE) return minus + ANYONE;
  const group = name.slice(0, GROUP.length).toLowerCase() === GROUP;
  const known = canonical(group ? name.slice(GROUP.length) : name);
  if (known === undefined) return undefined;
  if (!group) {
    const { rows } = await pool.query<{ id: string }>({ name: 'account-by-address', text: 'SELECT id FROM view.account_1 WHERE address = $1', values: [known] });
    return rows[0] && minus + rows[0].id;
  }
  const { rows } = await pool.query<{ id: string; known: boolean }>({
    name: 'group-by-name',
    text: `SELECT g.id, $2::uuid IS NULL OR g.domain = (SELECT domain FROM view.account_1 WHERE id = $2)
             OR EXISTS (SELECT FROM view.group_member_1 m WHERE m.group_id = g.id AND m.account_id = $2) AS known
           FROM view.group_1 g WHERE g.name = $1`,
    values: [known, account ?? null],
  });
  const found = rows[0];
  if (!found) return undefined;
  const identifier = GROUP + found.id;
  return found.known || list.has(identifier) || list.has(`-${identifier}`) ? minus + identifier : undefined;
}
