/** One reply of a server. */
export interface Reply {
  readonly code: number;
  /** What follows the code in each line, in printable ASCII; at least one, perhaps ''. */
  readonly lines: readonly string[];
}

/** Bytes of one line. RFC 5321 §4.5.3.1.5 promises 512; explanations with a link in them are often longer. */
export const REPLY_LINE = 2000;
export const REPLY_LINES = 128;
/** Characters of a reply as it goes into events. */
export const REPLY_TEXT = 1000;

const LINE = /^([2-5]\d\d)(?:([ -])(.*))?$/s;
const UNPRINTABLE = /[^\x20-\x7e]/g;
const ENHANCED = /^([245])\.(\d{1,3})\.\d{1,3}(?= |$)/;

/**
 * Anything a stranger sent, fit to be shown and kept: tabs and line ends are blanks, other bytes outside printable ASCII are `?`.
 * @param limit characters.
 */
export function printable(text: string, limit = REPLY_TEXT): string {
  const short = text.length > limit ? text.slice(0, limit) : text;
  return short.replace(/[\t\r\n]+/g, ' ').replace(UNPRINTABLE, '?');
}

/** Reads replies from what arrives, cut anywhere. Lines end at LF, with or without a CR before it. Memory is bounded by one reply. */
export class ReplyReader {
  /** Why nothing more is read: the beginning of what is no reply. Whoever hears it must leave. */
  garbled: string | undefined;

  private rest = '';
  private lines: string[] = [];

  /** Nothing of a further reply has arrived. */
  get empty(): boolean {
    return this.rest === '' && this.lines.length === 0;
  }

  /** @param bytes each character a byte. @returns the replies that it completed. */
  push(bytes: string): readonly Reply[] {
    const replies: Reply[] = [];
    if (this.garbled !== undefined) return replies;
    const text = this.rest === '' ? bytes : this.rest + bytes;
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      const reply = this.line(text.slice(from, text.charCodeAt(end - 1) === 13 && end > from ? end - 1 : end));
      if (this.garbled !== undefined) return replies;
      if (reply) replies.push(reply);
      from = end + 1;
    }
    this.rest = from === 0 ? text : text.slice(from);
    if (this.rest.length > REPLY_LINE) this.refuse(this.rest);
    return replies;
  }

  private line(line: string): Reply | undefined {
    const parts = line.length > REPLY_LINE ? null : LINE.exec(line);
    if (!parts || this.lines.length >= REPLY_LINES) {
      this.refuse(line);
      return undefined;
    }
    this.lines.push(printable(parts[3] ?? '', REPLY_LINE));
    if (parts[2] === '-') return undefined;
    const { lines } = this;
    this.lines = [];
    // RFC 5321 §4.2.1 wants one code on all lines; where they differ, the last one counts.
    return { code: Number(parts[1]), lines };
  }

  private refuse(line: string): void {
    this.garbled = printable(line, 100);
    this.rest = '';
    this.lines = [];
  }
}

/** The enhanced code (RFC 2034) of a reply, as far as it has one that agrees with its reply code. */
export function enhancedCode({ code, lines }: Reply): string | undefined {
  const found = ENHANCED.exec(lines[0] ?? '');
  return found && Number(found[1]) === Math.floor(code / 100) ? found[0] : undefined;
}

/** The whole reply as one line for events: code, enhanced code once, the texts in order; at most 1,000 characters. */
export function replyText(reply: Reply): string {
  const { code, lines } = reply;
  const first = lines[0] ?? '';
  if (lines.length === 1) return `${code} ${first}`.slice(0, REPLY_TEXT).trimEnd();
  const enhanced = enhancedCode(reply);
  let text = `${code} ${first.trim()}`;
  for (const line of lines.slice(1)) {
    if (text.length >= REPLY_TEXT) break;
    const words = enhanced !== undefined && line.startsWith(`${enhanced} `) ? line.slice(enhanced.length + 1) : line;
    if (words.trim() !== '' && words !== enhanced) text += ` ${words.trim()}`;
  }
  return text.slice(0, REPLY_TEXT).trimEnd();
}
