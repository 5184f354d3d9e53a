import type { Content, Envelope, Message, Part } from './structure.js';

/** A part while its bytes pass. */
export class Draft {
  bodyStart: number;
  bodyEnd: number;
  headerLines = 0;
  bodyLines = 0;
  /** Line ends before the body. */
  linesBefore: number;
  content: Content = NOTHING;
  envelope: Envelope | undefined;
  readonly parts: Draft[] = [];
  message: Draft | undefined;

  /** @param startLines line ends before the header. */
  constructor(
    readonly role: 'message' | 'part',
    readonly headerStart: number,
    readonly startLines: number,
  ) {
    this.bodyStart = headerStart;
    this.bodyEnd = headerStart;
    this.linesBefore = startLines;
  }

  is(type: string, subtype?: string): boolean {
    return this.content.type === type && (subtype === undefined || this.content.subtype === subtype);
  }

  /** Bytes that can be read without decoding: only then the parts within are seen. */
  get plain(): boolean {
    return IDENTITY.includes(this.content.encoding);
  }

  done(): Part {
    const { headerStart, bodyStart, bodyEnd, headerLines, bodyLines } = this;
    const message = this.message?.doneMessage();
    return { headerStart, bodyStart, bodyEnd, headerLines, bodyLines, ...this.content, parts: this.parts.map((part) => part.done()), ...(message && { message }) };
  }

  doneMessage(): Message {
    return { envelope: this.envelope ?? EMPTY_ENVELOPE, root: this.done() };
  }
}

/** Encodings that change nothing (RFC 2045 §6.2). */
export const IDENTITY: readonly string[] = ['7bit', '8bit', 'binary'];

const NOTHING: Content = { type: 'text', subtype: 'plain', parameters: [], encoding: '7bit' };
export const EMPTY_ENVELOPE: Envelope = { from: [], sender: [], replyTo: [], to: [], cc: [], bcc: [] };
