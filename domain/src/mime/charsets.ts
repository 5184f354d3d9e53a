import { guessCharset } from './charset-guess.js';
import { JisEscapes, withoutDoubleEscapes } from './jis-escapes.js';

/** Names that TextDecoder does not know, and those it takes for another charset than mail programs do. */
const ALIASES: Readonly<Record<string, string>> = Object.assign(Object.create(null) as Record<string, string>, {
  cp932: 'shift_jis',
  ms932: 'shift_jis',
  'ibm-943': 'shift_jis',
  cp943: 'shift_jis',
  'shift-jis-2004': 'shift_jis',
  shiftjis: 'shift_jis',
  sjis: 'shift_jis',
  'x-ms-cp932': 'shift_jis',
  'windows-932': 'shift_jis',
  eucjp: 'euc-jp',
  'eucjp-ms': 'euc-jp',
  'eucjp-win': 'euc-jp',
  'euc-jp-ms': 'euc-jp',
  cp51932: 'euc-jp',
  'x-eucjp': 'euc-jp',
  ujis: 'euc-jp',
  jis: 'iso-2022-jp',
  iso2022jp: 'iso-2022-jp',
  'iso-2022-jp-1': 'iso-2022-jp',
  'iso-2022-jp-2': 'iso-2022-jp',
  'iso-2022-jp-3': 'iso-2022-jp',
  'iso-2022-jp-2004': 'iso-2022-jp',
  'iso-2022-jp-ms': 'iso-2022-jp',
  cp50220: 'iso-2022-jp',
  cp50221: 'iso-2022-jp',
  cp50222: 'iso-2022-jp',
  cp949: 'euc-kr',
  uhc: 'euc-kr',
  cp936: 'gbk',
  cp950: 'big5',
  utf_8: 'utf-8',
  'utf-8n': 'utf-8',
  utf8mb4: 'utf-8',
  cp65001: 'utf-8',
  'unicode-1-1-utf-8': 'utf-8',
  'iso-10646-ucs-2': 'utf-16be',
});
/** TextDecoder reads them as Windows-1252; in mail they mean that the sender did not know. */
const UNSAID: ReadonlySet<string> = new Set(['', 'us-ascii', 'ascii', 'ansi_x3.4-1968', 'unknown-8bit', 'x-unknown', 'unknown', 'default', 'default_charset', '8bit', '7bit', 'binary', 'none']);
const LONGEST_LABEL = 40;

type Decoder = InstanceType<typeof TextDecoder>;
const decoders = new Map<string, Decoder>();

/**
 * The name by which TextDecoder knows a charset.
 * @returns undefined for one that is unknown, or that says nothing (`us-ascii`, `unknown-8bit`): the bytes must tell.
 */
export function knownCharset(label: string): string | undefined {
  const name = label.trim().toLowerCase().replace(/^x-(?=iso-8859|windows-|utf)/, '');
  if (UNSAID.has(name) || name.length > LONGEST_LABEL) return undefined;
  try {
    return new TextDecoder(ALIASES[name] ?? name).encoding;
  } catch {
    return undefined;
  }
}

function decoderOf(encoding: string): Decoder {
  let decoder = decoders.get(encoding);
  // At most as many as there are encodings, whatever labels arrive.
  if (!decoder) decoders.set(encoding, (decoder = new TextDecoder(encoding)));
  return decoder;
}

const decodeAs = (encoding: string, bytes: Uint8Array): string =>
  decoderOf(encoding).decode(encoding === 'iso-2022-jp' ? withoutDoubleEscapes(bytes) : bytes);

/**
 * Text of bytes in a charset. Never throws: an unknown charset is guessed, and so is one that the bytes contradict; what cannot be
 * read is U+FFFD.
 */
export function decodeText(bytes: Uint8Array, label = ''): string {
  const encoding = knownCharset(label);
  if (encoding === undefined) return decodeGuessed(bytes);
  const text = decodeAs(encoding, bytes);
  const doubtful = (CHECKED.has(encoding) && text.includes('\ufffd')) || (encoding !== 'iso-2022-jp' && text.includes('\x1b'));
  return doubtful ? (decodeOther(bytes, encoding) ?? text) : text;
}

/** Charsets whose bytes have a form that can be wrong. */
const CHECKED: ReadonlySet<string> = new Set(['utf-8', 'iso-2022-jp', 'shift_jis', 'euc-jp']);

function decodeOther(bytes: Uint8Array, not: string): string | undefined {
  const guess = guessCharset(bytes);
  if (guess === not || guess === 'ascii' || guess === 'windows-1252') return undefined;
  const text = decodeAs(guess, bytes);
  return text.includes('\ufffd') ? undefined : text;
}

/** Text of bytes of which nobody says what they are. */
export function decodeGuessed(bytes: Uint8Array): string {
  const guess = guessCharset(bytes);
  return decodeAs(guess === 'ascii' ? 'utf-8' : guess, bytes);
}

/** Bytes after which the charset of a text without one is decided. */
const SNIFFED = 16_384;

/** Text of bytes that arrive in chunks; of these at most SNIFFED are held, and only where the charset must be guessed. */
export class TextStream {
  private decoder: Decoder | undefined;
  private escapes: JisEscapes | undefined;
  private sniffed: Uint8Array[] = [];
  private length = 0;

  constructor(label: string) {
    const encoding = knownCharset(label);
    if (encoding !== undefined) this.settle(encoding);
  }

  push(bytes: Uint8Array): string {
    if (this.decoder) return this.decoder.decode(this.escapes?.push(bytes) ?? bytes, { stream: true });
    const taken = bytes.slice(0, SNIFFED - this.length);
    this.sniffed.push(taken);
    this.length += taken.length;
    return this.length < SNIFFED ? '' : this.decide() + this.push(bytes.subarray(taken.length));
  }

  end(): string {
    const head = this.decoder ? '' : this.decide();
    return head + (this.decoder?.decode(this.escapes?.end()) ?? '');
  }

  private settle(encoding: string): void {
    this.decoder = new TextDecoder(encoding);
    if (encoding === 'iso-2022-jp') this.escapes = new JisEscapes();
  }

  private decide(): string {
    const head = new Uint8Array(this.length);
    let at = 0;
    for (const piece of this.sniffed) {
      head.set(piece, at);
      at += piece.length;
    }
    this.sniffed = [];
    const guess = guessCharset(head);
    this.settle(guess === 'ascii' ? 'utf-8' : guess);
    return this.push(head);
  }
}
