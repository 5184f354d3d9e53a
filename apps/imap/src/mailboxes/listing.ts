import type { List } from '@kiroku/domain/imap/grammar/commands.js';
import type { Folder } from '@kiroku/domain/mailbox/store-port.js';

export interface Listed {
  readonly name: string;
  /** Undefined where there is no such mailbox: a superior of some, or a name subscribed to. */
  readonly folder: Folder | undefined;
  readonly children: boolean;
  readonly subscribed: boolean;
  /** Inferiors that do not match are subscribed to (RFC 5258 §3.5). */
  readonly below: boolean;
}

/** All names of an account as a tree, for LIST and LSUB. */
export class Listing {
  private readonly folders = new Map<string, Folder>();
  private readonly subscriptions: ReadonlySet<string>;
  /** Names that have inferiors, mailboxes or not. */
  private readonly parents = new Set<string>();
  /** Names that have inferiors which are subscribed to. */
  private readonly above = new Set<string>();

  constructor(folders: readonly Folder[], subscriptions: readonly string[]) {
    this.subscriptions = new Set(subscriptions);
    for (const folder of folders) {
      this.folders.set(folder.name, folder);
      for (const parent of superiors(folder.name)) this.parents.add(parent);
    }
    for (const name of subscriptions) for (const parent of superiors(name)) this.above.add(parent);
  }

  /** In order of name, INBOX first. Nobody's mailbox is elsewhere: `select.remote` changes nothing. */
  find(reference: string, patterns: readonly string[], select: List['select']): readonly Listed[] {
    const tests = patterns.map((pattern) => matcher(reference, pattern));
    const matches = (name: string): boolean => tests.some((test) => test(name));
    const names = new Set([...this.folders.keys(), ...this.parents]);
    if (select.subscribed) for (const name of [...this.subscriptions, ...(select.recursiveMatch ? this.above : [])]) names.add(name);
    return [...names].filter(matches).sort(byName).map((name) => this.listed(name, select, matches)).filter((listed) => chosen(listed, select));
  }

  subscribed(reference: string, pattern: string): readonly { readonly name: string; readonly subscribed: boolean }[] {
    const matches = matcher(reference, pattern);
    const names = new Set(this.subscriptions);
    if (pattern.includes('%')) for (const name of this.above) if (!this.subscriptions.has(name)) names.add(name);
    return [...names].filter(matches).sort(byName).map((name) => ({ name, subscribed: this.subscriptions.has(name) }));
  }

  private listed(name: string, { subscribed, recursiveMatch }: List['select'], matches: (name: string) => boolean): Listed {
    return {
      name,
      folder: this.folders.get(name),
      children: this.parents.has(name),
      subscribed: this.subscriptions.has(name),
      below: subscribed && recursiveMatch && this.above.has(name) && [...this.subscriptions].some((other) => other.startsWith(`${name}/`) && !matches(other)),
    };
  }
}

function chosen({ folder, subscribed, below }: Listed, select: List['select']): boolean {
  if (select.specialUse && !folder?.specialUse.length) return false;
  return !select.subscribed || subscribed || below;
}

function superiors(name: string): string[] {
  const all: string[] = [];
  for (let at = name.indexOf('/'); at > 0; at = name.indexOf('/', at + 1)) if (name.slice(0, at) !== '#Shared') all.push(name.slice(0, at));
  return all;
}

const byName = (a: string, b: string): number => (a === 'INBOX' ? -1 : b === 'INBOX' ? 1 : a < b ? -1 : a > b ? 1 : 0);

/**
 * RFC 9051 §6.3.9: `*` is anything, `%` anything without the separator. Runs in the product of both lengths at worst, whatever the
 * pattern: a regular expression could be made to run for ever.
 */
export function matcher(reference: string, pattern: string): (name: string) => boolean {
  // A pattern that names a namespace is not below the reference.
  const joined = pattern.startsWith('#') || reference === '' ? pattern : reference.endsWith('/') || pattern.startsWith('/') ? reference + pattern : `${reference}/${pattern}`;
  const whole = joined.replace(/^inbox(?=\/|$)/i, 'INBOX').replace(/[*%]*\*[*%]*/g, '*').replace(/%+/g, '%');
  const literal = whole.replace(/[*%]/g, '').length;
  const [head = '', ...rest] = whole.split(/[*%]/);
  if (rest.length === 0) return (name) => name === whole;
  if (rest.length === 1 && rest[0] === '') {
    if (whole.endsWith('*')) return (name) => name.startsWith(head);
    return (name) => name.startsWith(head) && !name.includes('/', head.length);
  }
  return (name) => literal <= name.length && matches(whole, name);
}

function matches(pattern: string, name: string): boolean {
  let reached = new Uint8Array(name.length + 1);
  reached[0] = 1;
  for (const character of pattern) {
    const next = new Uint8Array(name.length + 1);
    const wild = character === '*' || character === '%';
    for (let at = 0; at <= name.length; at++) {
      if (!reached[at] && !(wild && at > 0 && next[at - 1] && (character === '*' || name[at - 1] !== '/'))) continue;
      if (wild) next[at] = 1;
      else if (name.startsWith(character, at)) next[at + character.length] = 1;
    }
    reached = next;
  }
  return reached[name.length] === 1;
}
