import { astring, mailboxName, nstring, quoted } from './strings.js';

/** The hierarchy separator of every namespace. */
export const SEPARATOR = '"/"';

// What follows are untagged responses without `* ` and CRLF. `utf8` as for `string`.

/** Attributes and flags are atoms as they are. `childInfo`: RFC 5258 §3.5; `oldName`: RFC 9051 §7.3.1. */
export interface ListEntry {
  readonly attributes: readonly string[];
  readonly name: string;
  readonly childInfo?: readonly string[];
  readonly oldName?: string;
}

export function listLine(verb: 'LIST' | 'LSUB', { attributes, name, childInfo, oldName }: ListEntry, utf8: boolean): string {
  const extended = [
    ...(childInfo ? [`"CHILDINFO" (${childInfo.map(quoted).join(' ')})`] : []),
    ...(oldName === undefined ? [] : [`"OLDNAME" (${mailboxName(oldName, utf8)})`]),
  ];
  return `${verb} (${attributes.join(' ')}) ${SEPARATOR} ${mailboxName(name, utf8)}${extended.length > 0 ? ` (${extended.join(' ')})` : ''}`;
}

export type StatusValue = readonly [item: string, value: number | string];

/** Values that are text are printed as they are: `(id)`, `NIL`. */
export const statusResponse = (name: string, values: readonly StatusValue[], utf8: boolean): string =>
  `STATUS ${mailboxName(name, utf8)} (${values.map(([item, value]) => `${item} ${value}`).join(' ')})`;

/** RFC 4731 §3.1, RFC 9394 §3.1; `partial.set` undefined: nothing is there, NIL. */
export interface SearchReturn {
  readonly min?: number;
  readonly max?: number;
  readonly count?: number;
  readonly all?: string;
  readonly partial?: { readonly range: string; readonly set: string | undefined };
  readonly modSeq?: number;
}

export function esearchLine(tag: string, uid: boolean, { min, max, count, all, partial, modSeq }: SearchReturn): string {
  let text = `ESEARCH (TAG ${quoted(tag)})${uid ? ' UID' : ''}`;
  if (min !== undefined) text += ` MIN ${min}`;
  if (max !== undefined) text += ` MAX ${max}`;
  if (count !== undefined) text += ` COUNT ${count}`;
  if (all !== undefined) text += ` ALL ${all}`;
  if (partial) text += ` PARTIAL (${partial.range} ${partial.set ?? 'NIL'})`;
  return modSeq === undefined ? text : `${text} MODSEQ ${modSeq}`;
}

/** SEARCH and SORT of RFC 3501 and RFC 5256. */
export function numbersLine(verb: 'SEARCH' | 'SORT', numbers: ArrayLike<number>, modSeq?: number): string {
  let text: string = verb;
  for (let i = 0; i < numbers.length; i++) text += ` ${numbers[i] as number}`; // i is below the length
  return modSeq === undefined ? text : `${text} (MODSEQ ${modSeq})`;
}

export const quotaLine = (root: string, resources: readonly (readonly [name: string, usage: number, limit: number])[], utf8: boolean): string =>
  `QUOTA ${astring(root, utf8)} (${resources.map((resource) => resource.join(' ')).join(' ')})`;

export const quotaRootLine = (mailbox: string, roots: readonly string[], utf8: boolean): string =>
  ['QUOTAROOT', mailboxName(mailbox, utf8), ...roots.map((root) => astring(root, utf8))].join(' ');

/** Rights are letters; '' is printed as `""`. */
export const aclLine = (mailbox: string, entries: readonly (readonly [identifier: string, rights: string])[], utf8: boolean): string =>
  ['ACL', mailboxName(mailbox, utf8), ...entries.flat().map((text) => astring(text, utf8))].join(' ');

/** `required` cannot be taken away; each of `optional` is given and taken as one (RFC 4314 §3.7). */
export const listRightsLine = (mailbox: string, identifier: string, required: string, optional: readonly string[], utf8: boolean): string =>
  ['LISTRIGHTS', mailboxName(mailbox, utf8), ...[identifier, required, ...optional].map((text) => astring(text, utf8))].join(' ');

export const myRightsLine = (mailbox: string, rights: string, utf8: boolean): string => `MYRIGHTS ${mailboxName(mailbox, utf8)} ${astring(rights, utf8)}`;

/** RFC 5464 §4.4.1; mailbox '' is the server. */
export const metadataLine = (mailbox: string, values: readonly (readonly [entry: string, value: string | null])[], utf8: boolean): string =>
  `METADATA ${mailboxName(mailbox, utf8)} (${values.map(([entry, value]) => `${astring(entry, utf8)} ${nstring(value, utf8)}`).join(' ')})`;

/** RFC 5464 §4.4.2: names alone tell that they have changed. */
export const metadataChangedLine = (mailbox: string, entries: readonly string[], utf8: boolean): string =>
  ['METADATA', mailboxName(mailbox, utf8), ...entries.map((entry) => astring(entry, utf8))].join(' ');

export const idLine = (fields: readonly (readonly [name: string, value: string | null])[]): string =>
  fields.length === 0 ? 'ID NIL' : `ID (${fields.map(([name, value]) => `${quoted(name)} ${nstring(value, false)}`).join(' ')})`;
