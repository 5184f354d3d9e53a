import type { AppendMessage, AppendPart } from './commands.js';
import { type Cursor, Missing, type Position, Problem } from './cursor.js';
import { dateTime } from './dates.js';
import { flagList } from './flags.js';

/** `messages`: in one APPEND; `parts`: of one CATENATE. */
export const APPEND_LIMITS = { messages: 1_000, parts: 100 } as const;

/** What is known when a message's literal is announced: enough to refuse the command before its octets come. */
export interface AppendHead {
  readonly verb: 'APPEND' | 'REPLACE';
  readonly mailbox: string;
  /** Messages before this one, complete. */
  readonly messages: readonly AppendMessage[];
  readonly flags: readonly string[];
  readonly receivedAt?: number;
  /** With CATENATE: this message's parts before the literal. */
  readonly parts?: readonly AppendPart[];
}

/**
 * The part of APPEND and REPLACE from the mailbox on, resumed at each literal: a thousand messages in one command are each
 * looked at once.
 */
export class AppendParse {
  private mailbox: string | undefined;
  private readonly messages: AppendMessage[] = [];
  private position: Position | undefined;
  /** Set while a message's literal is being waited for. */
  head: AppendHead | undefined;

  constructor(private readonly verb: 'APPEND' | 'REPLACE') {}

  /** @throws Missing with `head` set when it is a message that is missing, a string otherwise. */
  resume(cursor: Cursor): { readonly mailbox: string; readonly messages: readonly AppendMessage[] } {
    this.head = undefined;
    if (this.position) cursor.goto(this.position);
    if (this.mailbox === undefined) {
      this.mailbox = cursor.mailbox();
      this.position = cursor.position;
    }
    do {
      if (this.messages.length === (this.verb === 'REPLACE' ? 1 : APPEND_LIMITS.messages)) throw new Problem('Too many messages', 'NO', 'LIMIT');
      cursor.space();
      this.messages.push(this.message(cursor, this.mailbox));
      this.position = cursor.position;
    } while (!cursor.atEnd);
    return { mailbox: this.mailbox, messages: this.messages };
  }

  private message(cursor: Cursor, mailbox: string): AppendMessage {
    const flags = cursor.next === '(' ? flagList(cursor) : undefined;
    if (flags) cursor.space();
    const receivedAt = cursor.next === '"' ? dateTime(cursor) : undefined;
    if (receivedAt !== undefined) cursor.space();
    const known = { flags: flags ?? [], ...(receivedAt !== undefined && { receivedAt }) };
    const text = (parts?: readonly AppendPart[]): AppendPart => this.text(cursor, { verb: this.verb, mailbox, messages: this.messages, ...known, ...(parts && { parts }) });
    switch (cursor.perhapsWord()) {
      case undefined:
        return { ...known, utf8: false, catenate: false, parts: [text()] };
      case 'UTF8': {
        cursor.space();
        cursor.char('(', 'Literal in parentheses');
        if (cursor.next !== '~') cursor.fail('literal8');
        const parts = [text()];
        cursor.char(')', 'Closing parenthesis');
        return { ...known, utf8: true, catenate: false, parts };
      }
      case 'CATENATE':
        cursor.space();
        return { ...known, utf8: false, catenate: true, parts: this.catenate(cursor, text) };
      default:
        throw new Problem('Unknown kind of message');
    }
  }

  private catenate(cursor: Cursor, text: (parts: readonly AppendPart[]) => AppendPart): readonly AppendPart[] {
    const parts: AppendPart[] = [];
    cursor.list('Parts', APPEND_LIMITS.parts, () => {
      const kind = cursor.word('TEXT or URL');
      cursor.space();
      if (kind === 'TEXT') parts.push(text(parts));
      else if (kind === 'URL') parts.push({ part: 'url', url: cursor.utf8('URL') });
      else cursor.fail('TEXT or URL');
    });
    return parts;
  }

  private text(cursor: Cursor, known: AppendHead): AppendPart {
    try {
      return { part: 'text', ...cursor.message() };
    } catch (error) {
      if (error instanceof Missing) this.head = known;
      throw error;
    }
  }
}
