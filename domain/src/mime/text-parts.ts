import { TextStream } from './charsets.js';
import { HtmlText } from './html-text.js';
import { rawParameter } from './parameter-text.js';
import type { Content, Message, Part } from './structure.js';
import { transferDecoder, type TransferDecoder } from './transfer.js';

/** A stretch of a message that holds text to be searched. */
export interface TextPart {
  /** Part numbers as in BODY[1.2]; of a nested message's header those of the message. */
  readonly path: readonly number[];
  /** `header`: of a nested message. It has no encoding, its values are for `decodeHeader`. */
  readonly kind: 'text' | 'header';
  readonly part: Part;
  /** Bytes in the message. */
  readonly start: number;
  readonly end: number;
}

/** All text/* parts, attached ones too, those of message/* that are no messages (a bounce's status), and the headers of nested messages, in their order. The message's own header is not among them. */
export function textParts({ root }: Message): readonly TextPart[] {
  const found: TextPart[] = [];
  visit(root, [], true, found);
  return found;
}

function visit(part: Part, path: readonly number[], isRoot: boolean, found: TextPart[]): void {
  if (part.type === 'multipart') {
    part.parts.forEach((child, i) => visit(child, [...path, i + 1], false, found));
    return;
  }
  // A message that is no multipart has one part, its body (RFC 9051 §6.4.5.1).
  const own = isRoot ? [...path, 1] : path;
  if (part.message) {
    const { root } = part.message;
    found.push({ path: own, kind: 'header', part: root, start: root.headerStart, end: root.bodyStart });
    visit(root, own, true, found);
  } else if (part.type === 'text' || part.type === 'message') found.push({ path: own, kind: 'text', part, start: part.bodyStart, end: part.bodyEnd });
}

/** Readable text of a text part whose bytes arrive in chunks: encoding and charset undone, HTML to text. Memory is bounded. Never throws. */
export class PartText {
  private readonly transfer: TransferDecoder;
  private readonly html: HtmlText | undefined;
  private charset: TextStream | undefined;
  private readonly label: string;

  constructor(content: Content) {
    // An unknown encoding leaves the bytes as they are: better to find some of the text than none.
    this.transfer = transferDecoder(content.encoding) ?? { push: (chunk) => chunk, end: () => EMPTY };
    this.html = content.type === 'text' && content.subtype === 'html' ? new HtmlText() : undefined;
    this.label = rawParameter(content.parameters, 'charset') ?? '';
  }

  push(chunk: Uint8Array): string {
    return this.read(this.transfer.push(chunk));
  }

  end(): string {
    const head = this.read(this.transfer.end());
    const tail = this.charset?.end() ?? '';
    return this.html ? head + this.html.push(tail) + this.html.end() : head + tail;
  }

  private read(bytes: Uint8Array): string {
    if (bytes.length === 0) return '';
    this.charset ??= new TextStream(this.label);
    const text = this.charset.push(bytes);
    return this.html ? this.html.push(text) : text;
  }
}

const EMPTY = new Uint8Array(0);

/** The text of a part that lies in memory. */
export function partText(content: Content, body: Uint8Array): string {
  const reader = new PartText(content);
  return reader.push(body) + reader.end();
}
