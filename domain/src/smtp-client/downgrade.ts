import { BytesOut } from './bytes-out.js';
import { type Entity, type MimeVisitor, MimeWalk } from './mime-walk.js';
import { Base64, type BodyEncoder, QuotedPrintable } from './transfer-encoding.js';

/** What becomes of one entity. */
export interface EntityChange {
  /** Its new Content-Transfer-Encoding; `7bit`: the bytes stay. */
  readonly encoding: '7bit' | 'quoted-printable' | 'base64';
  /** Lines that its header lacks. */
  readonly added: string;
}
/** By the entity's number; who is not named stays byte for byte. */
export type Downgrade = ReadonlyMap<number, EntityChange>;

/** Why an 8-bit message cannot go to a server that takes 7 bits only. */
export type NoDowngrade = 'eight-bit-header' | 'eight-bit-sealed' | 'eight-bit';

/** Types whose parts are 7bit for ever (RFC 2046 §5.2.2 and §5.2.3, RFC 3464 §2.1.1). Those of RFC 6532 and 6533 may be encoded. */
const SEVEN_BIT_ONLY = ['message/partial', 'message/external-body', 'message/delivery-status', 'message/disposition-notification'];
const UNENCODED = ['', '7bit', '8bit', 'binary'];
/** Where more of a text than this is 8-bit, base64 is the shorter one. */
const SHORTER_IN_BASE64 = 1 / 6;

const VERSION = 'MIME-Version: 1.0\r\n';
/** RFC 1428 §3: it was never said what it is. */
const UNKNOWN = 'Content-Type: text/plain; charset=unknown-8bit\r\n';

function eightBitOf(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte > 127) count++;
  return count;
}

/** Learns from a message's bytes how it can be made 7-bit (RFC 6152 §3, RFC 2045 §6). */
export class DowngradeLook implements MimeVisitor {
  private readonly changes = new Map<number, EntityChange>();
  private top: Entity | undefined;
  private no: NoDowngrade | undefined;
  /** Of the leaf under way. */
  private bytes = 0;
  private eightBit = 0;
  /** Last: it tells of the first entity at once. */
  private readonly walk = new MimeWalk(this);

  push(chunk: Uint8Array): void {
    if (this.no === undefined) this.walk.push(chunk);
  }

  /** To be called once, after all bytes. */
  result(): Downgrade | NoDowngrade {
    if (this.no === undefined) this.walk.end();
    if (this.no !== undefined) return this.no;
    const { top, changes } = this;
    if (this.walk.tooComplex) return 'eight-bit';
    // Without it no encoding means anything.
    if (top && !top.hasVersion && [...changes.values()].some(({ encoding }) => encoding !== '7bit')) {
      const { encoding, added } = changes.get(0) ?? { encoding: '7bit', added: '' };
      changes.set(0, { encoding, added: `${VERSION}${added}` });
    }
    return changes;
  }

  entity(entity: Entity): void {
    this.top ??= entity;
    this.bytes = 0;
    this.eightBit = 0;
  }

  headerLine(_: Entity, bytes: Uint8Array): void {
    if (eightBitOf(bytes) > 0) this.no ??= 'eight-bit-header';
  }

  headerEnd({ number, kind, encoding, sealed }: Entity): void {
    // What it holds will be 7-bit (RFC 2045 §6.4).
    if (kind !== 'leaf' && !sealed && (encoding === '8bit' || encoding === 'binary')) this.changes.set(number, { encoding: '7bit', added: '' });
  }

  text(_: Entity, bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.eightBit += eightBitOf(bytes);
  }

  lineEnd(): void {
    this.bytes += 2;
  }

  leafEnd({ number, type, encoding, sealed }: Entity): void {
    if (this.eightBit === 0) {
      if (encoding === '8bit' && !sealed) this.changes.set(number, { encoding: '7bit', added: '' });
      return;
    }
    const name = type?.name ?? '';
    if (sealed) this.no ??= 'eight-bit-sealed';
    else if (!UNENCODED.includes(encoding) || SEVEN_BIT_ONLY.includes(name) || name.startsWith('multipart/') || name === 'message/rfc822') this.no ??= 'eight-bit';
    else {
      const asText = (type === undefined || name.startsWith('text/')) && this.eightBit <= this.bytes * SHORTER_IN_BASE64;
      this.changes.set(number, { encoding: asText ? 'quoted-printable' : 'base64', added: type === undefined ? UNKNOWN : '' });
    }
  }

  between(bytes: Uint8Array): void {
    if (eightBitOf(bytes) > 0) this.no ??= 'eight-bit';
  }
}

/** Makes the same bytes 7-bit as `DowngradeLook` found possible. */
export class Downgrading implements MimeVisitor {
  private readonly out = new BytesOut();
  private encoder: BodyEncoder | undefined;
  /** The encoding of the header under way stands already; the field under way is left out. */
  private said = false;
  private leftOut = false;
  private readonly walk = new MimeWalk(this);

  constructor(private readonly changes: Downgrade) {}

  /** @returns what it became; may be empty. */
  push(chunk: Uint8Array): Uint8Array {
    this.walk.push(chunk);
    return this.out.take();
  }

  end(): Uint8Array {
    this.walk.end();
    return this.out.take();
  }

  entity(): void {
    this.said = false;
    this.leftOut = false;
    this.encoder = undefined;
  }

  headerLine({ number }: Entity, bytes: Uint8Array, field: string | undefined): void {
    const change = this.changes.get(number);
    if (field !== undefined) this.leftOut = change !== undefined && field === 'content-transfer-encoding';
    if (!this.leftOut) return this.out.bytes(bytes);
    if (field !== undefined && change) this.say(change);
  }

  headerEnd({ number }: Entity): void {
    const change = this.changes.get(number);
    if (!change) return;
    this.say(change);
    this.out.text(change.added);
    if (change.encoding !== '7bit') this.encoder = change.encoding === 'base64' ? new Base64() : new QuotedPrintable();
  }

  text(_: Entity, bytes: Uint8Array): void {
    if (this.encoder) this.encoder.text(bytes, this.out);
    else this.out.bytes(bytes);
  }

  lineEnd(_: Entity, bytes: Uint8Array): void {
    if (this.encoder) this.encoder.lineEnd(this.out);
    else this.out.bytes(bytes);
  }

  leafEnd(_: Entity, last: boolean): void {
    this.encoder?.end(this.out, last);
    this.encoder = undefined;
  }

  between(bytes: Uint8Array): void {
    this.out.bytes(bytes);
  }

  private say({ encoding }: EntityChange): void {
    if (!this.said) this.out.text(`Content-Transfer-Encoding: ${encoding}\r\n`);
    this.said = true;
  }
}

/** A message's bytes, 7-bit. */
export async function* downgraded(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, changes: Downgrade): AsyncGenerator<Uint8Array> {
  const downgrading = new Downgrading(changes);
  for await (const chunk of content) {
    const bytes = downgrading.push(chunk);
    if (bytes.length > 0) yield bytes;
  }
  const rest = downgrading.end();
  if (rest.length > 0) yield rest;
}
