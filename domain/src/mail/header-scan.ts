/** What reception has to know of a message's header. */
export interface HeaderFacts {
  /** The message begins with a header field, or with the empty line that ends an empty header. */
  readonly startsWithHeader: boolean;
  /** Received fields: how many servers it has passed (RFC 5321 §6.3). */
  readonly received: number;
  /** Without angle brackets; the first field counts. '' for a field without a readable id. */
  readonly messageId?: string;
  readonly date: boolean;
  readonly sender: boolean;
  /** Values of the Delivered-To fields, unfolded, at most 100; absent when there is none. */
  readonly deliveredTo?: readonly string[];
  /** A Precedence field says `bulk`, `list` or `junk`. */
  readonly bulk?: true;
  /** `TLS-Required: No` (RFC 8689 §3): rather unencrypted than not at all. */
  readonly tlsOptional?: true;
  /** Values of all From fields, unfolded, as UTF-8; normally one. */
  readonly from: readonly string[];
}

/** Bytes of a header that are looked at. New Received fields stand on top, so loops show within it. */
export const HEADER_LIMIT = 65_536;
/** A message that was in more mailboxes than this is no use to anybody. */
const MOST_DELIVERED_TO = 100;
/** Bytes of one field's value that are kept. */
const VALUE_LIMIT = 16_384;

const LF = 10;
const CR = 13;
const COLON = 58;

/** Gathers the header out of a body that arrives in chunks; bounded, and nothing is copied when the header is in the first one. */
export class HeaderScan {
  private kept = EMPTY;
  private length = 0;
  private facts: HeaderFacts | undefined;

  /** Looks at the next bytes of the message; does nothing once the header has ended. The chunk may not change before the scan is over. */
  push(chunk: Uint8Array): void {
    if (this.facts || chunk.length === 0) return;
    if (this.length === 0) {
      const end = headerEnd(chunk, 0);
      if (end >= 0 || chunk.length >= HEADER_LIMIT) {
        this.close(chunk.subarray(0, Math.min(end < 0 ? HEADER_LIMIT : end, HEADER_LIMIT)), end === 0);
        return;
      }
    }
    this.append(chunk);
  }

  /** The message is over or its header was; what was found in it. */
  finish(): HeaderFacts {
    return this.facts ?? this.close(this.kept.subarray(0, this.length), false);
  }

  private append(chunk: Uint8Array): void {
    const taken = chunk.subarray(0, HEADER_LIMIT - this.length);
    const length = this.length + taken.length;
    if (length > this.kept.length) {
      // Doubling: a client that sends byte by byte must not cost a copy of all for each.
      const larger = new Uint8Array(Math.min(HEADER_LIMIT, Math.max(4096, length * 2)));
      larger.set(this.kept.subarray(0, this.length));
      this.kept = larger;
    }
    this.kept.set(taken, this.length);
    const from = Math.max(0, this.length - 3);
    this.length = length;
    const end = headerEnd(this.kept.subarray(0, length), from);
    if (end >= 0 || length === HEADER_LIMIT) this.close(this.kept.subarray(0, end < 0 ? length : end), end === 0);
  }

  private close(header: Uint8Array, empty: boolean): HeaderFacts {
    const facts = scanHeader(header);
    this.facts = empty ? { ...facts, startsWithHeader: true } : facts;
    return this.facts;
  }
}

const EMPTY = new Uint8Array(0);

/** Where the empty line is that ends the header, or -1. `from`: nothing before it can belong to that line's CRLF CRLF. */
function headerEnd(bytes: Uint8Array, from: number): number {
  if (bytes[0] === CR && bytes[1] === LF) return 0;
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1))
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 1;
  return -1;
}

/** Names worth a look, lower case. */
const NAMES = ['received', 'message-id', 'date', 'from', 'sender', 'delivered-to', 'precedence', 'tls-required'] as const;
type Name = (typeof NAMES)[number];
const NAME_BYTES = NAMES.map((name) => ({ name, bytes: Uint8Array.from(name, (c) => c.charCodeAt(0)) }));

/**
 * Reads a header, without its empty line. Lines end with LF, so that BINARYMIME cannot hide a field from us that others see.
 * Never throws.
 */
export function scanHeader(bytes: Uint8Array): HeaderFacts {
  const facts = { startsWithHeader: isField(bytes), received: 0, date: false, sender: false, from: [] as string[] };
  let messageId: string | undefined;
  const deliveredTo: string[] = [];
  let bulk = false;
  let tlsOptional = false;
  for (let at = 0; at < bytes.length; ) {
    const name = nameAt(bytes, at);
    const end = name === undefined || name === 'received' ? lineEnd(bytes, at) : fieldEnd(bytes, at);
    switch (name) {
      case 'received':
        facts.received++;
        break;
      case 'date':
      case 'sender':
        facts[name] = true;
        break;
      case 'from':
        facts.from.push(value(bytes, at, end));
        break;
      case 'message-id':
        messageId ??= idIn(value(bytes, at, end));
        break;
      case 'delivered-to':
        if (deliveredTo.length < MOST_DELIVERED_TO) deliveredTo.push(value(bytes, at, end));
        break;
      case 'precedence':
        bulk ||= /^(?:bulk|list|junk)$/i.test(value(bytes, at, end));
        break;
      case 'tls-required':
        tlsOptional ||= value(bytes, at, end).toLowerCase() === 'no';
        break;
      case undefined:
        break;
    }
    at = end;
  }
  return {
    ...facts, ...(messageId !== undefined && { messageId }), ...(deliveredTo.length > 0 && { deliveredTo }), ...(bulk && { bulk }),
    ...(tlsOptional && { tlsOptional }),
  };
}

/** Whether a message that begins so begins with a field (RFC 5322 §2.2; blanks before the colon are §4.5's). */
function isField(bytes: Uint8Array): boolean {
  let at = 0;
  while (at < bytes.length && at < 1000 && isNameByte(bytes[at] ?? 0)) at++;
  if (at === 0) return false;
  while (bytes[at] === 32 || bytes[at] === 9) at++;
  return bytes[at] === COLON;
}

const isNameByte = (byte: number): boolean => byte > 32 && byte < 127 && byte !== COLON;

function nameAt(bytes: Uint8Array, at: number): Name | undefined {
  const first = (bytes[at] ?? 0) | 0x20;
  for (const { name, bytes: wanted } of NAME_BYTES) {
    if (wanted[0] !== first) continue;
    let n = 1;
    while (n < wanted.length && ((bytes[at + n] ?? 0) | 0x20) === (wanted[n] ?? 0)) n++;
    if (n < wanted.length) continue;
    while (bytes[at + n] === 32 || bytes[at + n] === 9) n++;
    if (bytes[at + n] === COLON) return name;
  }
  return undefined;
}

function lineEnd(bytes: Uint8Array, at: number): number {
  const lf = bytes.indexOf(LF, at);
  return lf < 0 ? bytes.length : lf + 1;
}

/** Past the field's folded lines. */
function fieldEnd(bytes: Uint8Array, at: number): number {
  let end = lineEnd(bytes, at);
  while (bytes[end] === 32 || bytes[end] === 9) end = lineEnd(bytes, end);
  return end;
}

const decoder = new TextDecoder();
const value = (bytes: Uint8Array, at: number, end: number): string =>
  decoder
    .decode(bytes.subarray(bytes.indexOf(COLON, at) + 1, Math.min(end, at + VALUE_LIMIT)))
    .replace(/\r?\n/g, '')
    .trim();

function idIn(text: string): string {
  const open = text.indexOf('<');
  const close = text.indexOf('>', open);
  const id = open >= 0 && close > open ? text.slice(open + 1, close) : text;
  // For views and replies: no controls, and not longer than a line may be
  return /^[!-~\u{a0}-\u{10ffff}]{1,900}$/u.test(id) ? id : '';
}
