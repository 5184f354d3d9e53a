import type { BytesOut } from './bytes-out.js';

/** Encodes the body of one MIME part, piece by piece. Line ends are told apart from text: the last one belongs to the boundary behind it. */
export interface BodyEncoder {
  /** Bytes within a line. */
  text(bytes: Uint8Array, out: BytesOut): void;
  lineEnd(out: BytesOut): void;
  /** The part is over. @param last and with it the message: no boundary follows, and the last line end is the part's own. */
  end(out: BytesOut, last: boolean): void;
}

const SPACE = 32;
const TAB = 9;
const EQUALS = 61;
const CRLF = '\r\n';
/** Characters of an encoded line (RFC 2045 §6.7 and §6.8). */
const WIDTH = 76;
const HEX = '0123456789ABCDEF';

/** RFC 2045 §6.7. */
export class QuotedPrintable implements BodyEncoder {
  private column = 0;
  /** A blank that would be lost if its line ended now; 0 = none. */
  private blank = 0;

  text(bytes: Uint8Array, out: BytesOut): void {
    for (const byte of bytes) {
      if (this.blank !== 0) this.literal(this.blank, out);
      this.blank = 0;
      if (byte === SPACE || byte === TAB) this.blank = byte;
      else if (byte > SPACE && byte < 127 && byte !== EQUALS) this.literal(byte, out);
      else this.quoted(byte, out);
    }
  }

  lineEnd(out: BytesOut): void {
    this.end(out);
    out.text(CRLF);
    this.column = 0;
  }

  end(out: BytesOut): void {
    if (this.blank !== 0) this.quoted(this.blank, out);
    this.blank = 0;
  }

  private literal(byte: number, out: BytesOut): void {
    this.room(1, out);
    out.byte(byte);
  }

  private quoted(byte: number, out: BytesOut): void {
    this.room(3, out);
    out.text(`=${HEX.charAt(byte >> 4)}${HEX.charAt(byte & 15)}`);
  }

  private room(characters: number, out: BytesOut): void {
    // One place is kept for the `=` of a soft line end.
    if (this.column + characters > WIDTH - 1) {
      out.text(`=${CRLF}`);
      this.column = 0;
    }
    this.column += characters;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** RFC 2045 §6.8; line ends are encoded as CRLF. */
export class Base64 implements BodyEncoder {
  private column = 0;
  private held = 0;
  private bits = 0;
  private afterLine = false;

  text(bytes: Uint8Array, out: BytesOut): void {
    if (bytes.length === 0) return;
    this.line(out);
    for (const byte of bytes) this.octet(byte, out);
  }

  lineEnd(out: BytesOut): void {
    this.line(out);
    this.afterLine = true;
  }

  end(out: BytesOut, last: boolean): void {
    const ended = this.afterLine;
    if (last) this.line(out);
    if (this.bits > 0) {
      this.character((this.held << (6 - this.bits)) & 63, out);
      for (; this.column % 4 !== 0; this.column++) out.byte(EQUALS);
    }
    if (ended) out.text(CRLF);
    this.afterLine = false;
    this.bits = 0;
    this.held = 0;
  }

  private line(out: BytesOut): void {
    if (!this.afterLine) return;
    this.afterLine = false;
    this.octet(13, out);
    this.octet(10, out);
  }

  private octet(byte: number, out: BytesOut): void {
    this.held = ((this.held << 8) | byte) & 0xffff;
    this.bits += 8;
    while (this.bits >= 6) {
      this.bits -= 6;
      this.character((this.held >> this.bits) & 63, out);
    }
  }

  private character(value: number, out: BytesOut): void {
    if (this.column === WIDTH) {
      out.text(CRLF);
      this.column = 0;
    }
    out.byte(ALPHABET.charCodeAt(value));
    this.column++;
  }
}
