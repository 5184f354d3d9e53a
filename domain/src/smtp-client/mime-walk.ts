import { type ContentType, contentType } from './content-type.js';

/** One MIME entity: the message itself, a part of it, or a message within it. Numbered in the order in which they begin. */
export interface Entity {
  readonly number: number;
  /** `multipart` and `message` hold other entities; a `leaf` has bytes. Decided by its header. */
  kind: 'leaf' | 'multipart' | 'message';
  /** As in the header; what stands there when the header is over. */
  type: ContentType | undefined;
  /** Content-Transfer-Encoding in lower case; '' = none. */
  encoding: string;
  hasVersion: boolean;
  /** Within a part whose bytes a signature or encryption covers. */
  readonly sealed: boolean;
}

/** What a walk through a message comes upon, in the order of its bytes: all of them are told, none twice. */
export interface MimeVisitor {
  entity(entity: Entity): void;
  /** A line of a header with its line end, or a piece of a long one. @param field its lower-case name where a field begins; undefined where it goes on. */
  headerLine(entity: Entity, bytes: Uint8Array, field: string | undefined): void;
  /** The header is over and what it says is known; its empty line comes next. */
  headerEnd(entity: Entity): void;
  /** Bytes of a leaf within a line, and the end of a line, of which `bytes` are those that stood there. */
  text(entity: Entity, bytes: Uint8Array): void;
  lineEnd(entity: Entity, bytes: Uint8Array): void;
  /** @param last the message ends here, too. */
  leafEnd(entity: Entity, last: boolean): void;
  /** Boundaries, empty lines behind headers, what stands before and after parts. */
  between(bytes: Uint8Array): void;
}

/** Bytes of a line that are looked at together: no boundary is longer (RFC 2046 §5.1.1: 70 characters and blanks), no field that matters. */
const PIECE = 2048;
/** Characters of a Content-Type that are read, in all its lines. */
const LONGEST_FIELD = 8192;
const MOST_ENTITIES = 2000;
const DEEPEST = 50;
const LF = 10;
const CR = 13;
const DASH = 45;
const SEALED = ['multipart/signed', 'multipart/encrypted'];

interface Multipart { readonly boundary: string; readonly digest: boolean; readonly sealed: boolean; readonly depth: number }

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Goes through a message's bytes, cut anywhere, and tells a visitor what they are. Memory is bounded, whatever comes. */
export class MimeWalk {
  /** It is more deeply nested, or has more parts, than is followed: the rest is told as one leaf. */
  tooComplex = false;

  private entities = 0;
  private current: Entity;
  private readonly open: Multipart[] = [];
  private at: 'header' | 'body' | 'between' = 'header';
  /** Multiparts and messages that this is within. */
  private depth = 0;
  /** The field under way, as far as it matters. */
  private field: { readonly name: string; value: string } | undefined;
  private rest: Uint8Array = new Uint8Array(0);
  private lineBegins = true;
  /** Of the default type in a digest (RFC 2046 §5.1.5). */
  private digest = false;

  constructor(private readonly visitor: MimeVisitor) {
    this.current = this.begin(false);
  }

  push(chunk: Uint8Array): void {
    let from = 0;
    if (this.rest.length > 0) {
      const end = chunk.indexOf(LF);
      const joined = new Uint8Array(this.rest.length + (end < 0 ? chunk.length : end + 1));
      joined.set(this.rest);
      joined.set(chunk.subarray(0, joined.length - this.rest.length), this.rest.length);
      from = joined.length - this.rest.length;
      this.rest = new Uint8Array(0);
      this.lines(joined);
    }
    if (from < chunk.length) this.lines(from === 0 ? chunk : chunk.subarray(from));
  }

  end(): void {
    if (this.rest.length > 0) this.piece(this.rest, true);
    this.rest = new Uint8Array(0);
    this.leave(true);
  }

  private lines(bytes: Uint8Array): void {
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      from = this.long(bytes, from, end + 1);
      this.piece(bytes.subarray(from, end + 1), true);
      from = end + 1;
    }
    from = this.long(bytes, from, bytes.length);
    if (from < bytes.length) this.rest = bytes.slice(from);
  }

  /** Tells what of a line is too long to be kept; its last bytes stay, for a line end may follow. */
  private long(bytes: Uint8Array, from: number, to: number): number {
    while (to - from > PIECE) {
      this.piece(bytes.subarray(from, from + PIECE - 1), false);
      from += PIECE - 1;
    }
    return from;
  }

  private piece(bytes: Uint8Array, ends: boolean): void {
    const begins = this.lineBegins;
    this.lineBegins = ends;
    const { length } = bytes;
    const eol = length > 0 && bytes[length - 1] === LF ? (length > 1 && bytes[length - 2] === CR ? 2 : 1) : 0;
    if (begins && ends && bytes[0] === DASH && bytes[1] === DASH && this.boundary(latin1(bytes.subarray(0, length - eol)), bytes)) return;
    if (this.at === 'between') this.visitor.between(bytes);
    else if (this.at === 'header') this.header(bytes, begins, ends, length === eol);
    else {
      if (length > eol) this.visitor.text(this.current, eol === 0 ? bytes : bytes.subarray(0, length - eol));
      if (eol > 0) this.visitor.lineEnd(this.current, bytes.subarray(length - eol));
    }
  }

  private boundary(line: string, bytes: Uint8Array): boolean {
    for (let i = this.open.length - 1; i >= 0; i--) {
      const { boundary, digest, sealed, depth } = this.open[i] as Multipart;
      if (!line.startsWith(boundary, 2)) continue;
      const tail = line.slice(2 + boundary.length).trimEnd();
      if (tail !== '' && tail !== '--') continue;
      this.leave(false);
      this.open.length = tail === '' ? i + 1 : i;
      this.visitor.between(bytes);
      this.at = 'between';
      if (tail === '') {
        this.digest = digest;
        this.depth = depth;
        this.current = this.begin(sealed);
      }
      return true;
    }
    return false;
  }

  private begin(sealed: boolean): Entity {
    const entity: Entity = { number: this.entities++, kind: 'leaf', type: undefined, encoding: '', hasVersion: false, sealed };
    if (this.entities > MOST_ENTITIES) this.tooComplex = true;
    this.at = 'header';
    this.field = undefined;
    this.visitor.entity(entity);
    return entity;
  }

  /** What was under way is over. */
  private leave(last: boolean): void {
    if (this.at === 'header') {
      this.understand();
      this.visitor.headerEnd(this.current);
    }
    if (this.at !== 'between' && this.current.kind === 'leaf') this.visitor.leafEnd(this.current, last);
  }

  private header(bytes: Uint8Array, begins: boolean, ends: boolean, empty: boolean): void {
    if (begins && ends && empty) return this.bodyBegins(bytes);
    const text = latin1(bytes);
    const name = begins ? /^([!-9;-~]{1,100})[ \t]*:/.exec(text)?.[1]?.toLowerCase() : undefined;
    if (name !== undefined) {
      this.understand();
      this.field = { name, value: text.slice(text.indexOf(':') + 1) };
    } else if (this.field && this.field.value.length < LONGEST_FIELD) this.field.value += text;
    this.visitor.headerLine(this.current, bytes, name);
  }

  private understand(): void {
    const { field, current } = this;
    this.field = undefined;
    if (!field) return;
    if (field.name === 'content-type') current.type ??= contentType(field.value.slice(0, LONGEST_FIELD));
    else if (field.name === 'mime-version') current.hasVersion = true;
    else if (field.name === 'content-transfer-encoding' && current.encoding === '') current.encoding = field.value.replace(/\([^()]*\)/g, '').trim().toLowerCase();
  }

  private bodyBegins(emptyLine: Uint8Array): void {
    this.understand();
    const { current } = this;
    const type = current.type?.name ?? (this.digest ? 'message/rfc822' : 'text/plain');
    this.digest = false;
    // What is encoded holds nothing that could be followed (RFC 2045 §6.4 forbids it).
    const readable = current.encoding === '' || ['7bit', '8bit', 'binary'].includes(current.encoding);
    const boundary = current.type?.boundary ?? '';
    const holds = readable && (type === 'message/rfc822' || (type.startsWith('multipart/') && boundary !== ''));
    if (holds && (this.depth >= DEEPEST || this.tooComplex)) this.tooComplex = true;
    else if (holds) current.kind = type === 'message/rfc822' ? 'message' : 'multipart';
    this.visitor.headerEnd(current);
    this.visitor.between(emptyLine);
    if (current.kind === 'leaf') {
      this.at = 'body';
      return;
    }
    this.depth++;
    if (current.kind === 'message') {
      this.current = this.begin(current.sealed);
    } else {
      this.open.push({ boundary, digest: type === 'multipart/digest', sealed: current.sealed || SEALED.includes(type), depth: this.depth });
      this.at = 'between';
    }
  }
}
