import { MailboxRefusal, type Rights } from './store-port.js';

/** All of RFC 4314 §2.1, in its order. */
export const ALL_RIGHTS: Rights = 'lrswipkxtea';

/**
 * Rights in the RFC's order, each once. The old `c` stands for `kx`, `d` for `te` (RFC 4314 §2.1.1).
 * @throws MailboxRefusal `bad-name` for a letter that is no right.
 */
export function knownRights(text: string): Rights {
  if (text.length > 50 || !/^[lrswipkxteacd]*$/.test(text)) throw new MailboxRefusal('bad-name', text.slice(0, 50));
  const wanted = text.replaceAll('c', 'kx').replaceAll('d', 'te');
  return [...ALL_RIGHTS].filter((right) => wanted.includes(right)).join('');
}

/** An entry of an access list: `anyone`, an account's id or `group:` and a group's id; with `-` before it what it says is taken away. */
export type AccessList = ReadonlyMap<string, Rights>;

export const ANYONE = 'anyone';

/** What stands before a group, in lists before its id and for people before its name. No address of an account can begin so. */
export const GROUP = 'group:';

/**
 * What all entries that mean the account give together, less what any of them takes away.
 * @param neighbour the account is of the owner's domain: only they are `anyone`, for one server has domains of strangers.
 * @param groups ids of the groups that it is in.
 */
export function rightsOf(list: AccessList, accountId: string, neighbour: boolean, groups: readonly string[] = []): Rights {
  const identifiers = [accountId, ...groups.map((id) => GROUP + id), ...(neighbour ? [ANYONE] : [])];
  const given = identifiers.map((identifier) => list.get(identifier) ?? '').join('');
  const taken = identifiers.map((identifier) => list.get(`-${identifier}`) ?? '').join('');
  return [...ALL_RIGHTS].filter((right) => given.includes(right) && !taken.includes(right)).join('');
}

/** The right that a flag needs (RFC 4314 §4). */
export const rightFor = (flag: string): string => (flag === '\\Seen' ? 's' : flag === '\\Deleted' ? 't' : 'w');
