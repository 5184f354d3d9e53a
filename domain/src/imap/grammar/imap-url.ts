import { mailboxFromWire } from './mailbox-name.js';
import { utf8 } from './binary.js';

/** A message, or a part of one, by URL (RFC 5092), as CATENATE names it: of the same account on this server. */
export interface MessageUrl {
  /** Undefined: the selected mailbox. */
  readonly mailbox?: string;
  readonly uidValidity?: number;
  readonly uid: number;
  /** As in BODY[…]; '' is the whole message. */
  readonly section: string;
  /** Octets; without `count` up to the end. */
  readonly partial?: { readonly from: number; readonly count?: number };
}

const URL = /^(?:\/([^;?#]+?)(?:;UIDVALIDITY=([1-9]\d{0,9}))?\/;|;|\/;)UID=([1-9]\d{0,9})(?:\/;SECTION=([^;?#]+?))?(?:\/;PARTIAL=(\d{1,15})(?:\.([1-9]\d{0,14}))?)?$/i;

/**
 * Relative URLs with an absolute path (`/INBOX;UIDVALIDITY=1/;UID=20/;SECTION=1.2`), which RFC 4469 §4 asks for, or of the selected mailbox
 * (`;UID=20`). Those with a server's name, a search or URLAUTH are undefined: BADURL.
 */
export function parseImapUrl(url: string): MessageUrl | undefined {
  if (url.length > 2_000) return undefined;
  const [, path, uidValidity, uid, section, from, count] = URL.exec(url) ?? [];
  const mailbox = path === undefined ? undefined : nameOf(path);
  const part = section === undefined ? '' : unescape(section);
  if (uid === undefined || part === undefined || mailbox === null) return undefined;
  return {
    ...(mailbox !== undefined && { mailbox }),
    ...(uidValidity !== undefined && { uidValidity: Number(uidValidity) }),
    uid: Number(uid),
    section: part,
    ...(from !== undefined && { partial: { from: Number(from), ...(count !== undefined && { count: Number(count) }) } }),
  };
}

/** RFC 5092 §3: percent-encoded UTF-8. Null when it is not. */
function nameOf(path: string): string | null {
  const octets = unescape(path);
  return (octets !== undefined && !octets.startsWith('/') && mailboxFromWire(octets, true)) || null;
}

function unescape(text: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(text) || utf8(text) === undefined) return undefined;
  return text.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}
