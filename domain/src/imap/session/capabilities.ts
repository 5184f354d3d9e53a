import type { Phase } from './phases.js';

/** What this connection may use at this moment. */
export interface Offer {
  readonly phase: Phase;
  /** TLS is to be had and not on yet. */
  readonly startTls: boolean;
  /** SASL mechanisms that may be used now. */
  readonly mechanisms: readonly string[];
  /** LOGIN may be used now. */
  readonly login: boolean;
  /** Is the connection compressed already? */
  readonly compressed: boolean;
  /** Bytes; 0 = no limit. */
  readonly appendLimit: number;
  /** Messages per command; 0 = no limit. */
  readonly messageLimit: number;
}

const ALWAYS = ['IMAP4rev1', 'IMAP4rev2', 'LITERAL+', 'SASL-IR', 'ID', 'ENABLE'];

/** In the order of issue of their RFCs, more or less; each is complete. */
const LOGGED_IN = [
  'IDLE', 'NAMESPACE', 'CHILDREN', 'UNSELECT', 'UIDPLUS', 'MULTIAPPEND', 'MOVE', 'REPLACE', 'CONDSTORE', 'QRESYNC',
  'ESEARCH', 'SEARCHRES', 'WITHIN', 'PARTIAL', 'SORT', 'SORT=DISPLAY', 'ESORT', 'THREAD=REFERENCES', 'THREAD=ORDEREDSUBJECT',
  'LIST-EXTENDED', 'LIST-STATUS', 'LIST-MYRIGHTS', 'SPECIAL-USE', 'CREATE-SPECIAL-USE', 'STATUS=SIZE', 'OBJECTID', 'SAVEDATE', 'PREVIEW',
  'BINARY', 'QUOTA', 'QUOTA=RES-STORAGE', 'QUOTA=RES-MESSAGE', 'ACL', 'RIGHTS=texk', 'METADATA', 'NOTIFY', 'UTF8=ACCEPT', 'I18NLEVEL=1',
  'CATENATE', 'INPROGRESS', 'UNAUTHENTICATE', 'UIDONLY',
];

/** The capability list (RFC 9051 §7.2.2). What needs a login is named once there is one. */
export function capabilities(offer: Offer): readonly string[] {
  if (offer.phase === 'not-authenticated') {
    return [
      ...ALWAYS,
      ...(offer.startTls ? ['STARTTLS'] : []),
      ...(offer.login ? [] : ['LOGINDISABLED']),
      ...offer.mechanisms.map((mechanism) => `AUTH=${mechanism}`),
    ];
  }
  return [
    ...ALWAYS,
    ...LOGGED_IN,
    ...(offer.compressed ? [] : ['COMPRESS=DEFLATE']),
    offer.appendLimit > 0 ? `APPENDLIMIT=${offer.appendLimit}` : 'APPENDLIMIT',
    ...(offer.messageLimit > 0 ? [`MESSAGELIMIT=${offer.messageLimit}`] : []),
  ];
}

/** What ENABLE can switch on (RFC 5161); other names are ignored. */
export type Ability = 'CONDSTORE' | 'QRESYNC' | 'UTF8=ACCEPT' | 'IMAP4REV2' | 'UIDONLY';
const ABILITIES: readonly Ability[] = ['CONDSTORE', 'QRESYNC', 'UTF8=ACCEPT', 'IMAP4REV2', 'UIDONLY'];

/** As ENABLED names it. */
export const abilityName = (ability: Ability): string => (ability === 'IMAP4REV2' ? 'IMAP4rev2' : ability);

/** @param names in capitals. QRESYNC brings CONDSTORE with it (RFC 7162 §3.2.3). */
export function abilitiesOf(names: readonly string[]): readonly Ability[] {
  return ABILITIES.filter((ability) => names.includes(ability));
}
