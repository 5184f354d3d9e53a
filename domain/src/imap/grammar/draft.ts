import { type AppendHead, AppendParse } from './append.js';
import type { Command, Verb } from './commands.js';
import { Cursor, Missing, type Position, Problem } from './cursor.js';
import { type Alone, ALONE, type Mode, PARSERS, WITH_UID } from './parse.js';

/** Characters. */
export const TAG_LIMIT = 128;

const TAG = /[^\x00-\x20\x7f-\xff(){%*"\\+]+/y;
const VERB = /[!-~]+/y;
const NEVER_IN_A_LINE = /[\0\r\n]/;

/** Browsers and others can be led to this port; what they say must not be taken for commands. */
const FOREIGN = /^[A-Z]+ \S+ HTTP\/\d|^SSH-|^(?:EHLO|HELO|LHLO) |^\x16\x03/;

/** What a command is told by before its arguments are known. */
export interface Named {
  readonly tag: string;
  readonly verb?: Verb;
}

/** A command that is still coming in: its lines and literals are added by the owner of the two arrays. */
export class Draft {
  named: Named = { tag: '*' };
  /** The first line speaks another protocol. */
  foreign = false;
  private start: { readonly verb: Verb; readonly uid: boolean; readonly position: Position } | undefined;
  private append = new AppendParse('APPEND');

  constructor(
    private readonly lines: readonly string[],
    private readonly literals: readonly (string | number)[],
    private readonly mode: Mode,
  ) {}

  /** Where messages are among its literals. */
  get takesMessages(): boolean {
    return this.start?.verb === 'APPEND' || this.start?.verb === 'REPLACE';
  }

  /** Looks at the line added last. @throws Problem */
  look(): void {
    const line = this.lines.at(-1) ?? '';
    if (!this.start) this.open(line);
    if (NEVER_IN_A_LINE.test(line)) throw new Problem('NUL, CR and LF are allowed in literals only');
  }

  private open(line: string): void {
    const cursor = new Cursor(this.lines, this.literals, this.mode);
    const tag = cursor.take(TAG);
    this.foreign = FOREIGN.test(line);
    if (tag === undefined || tag.length > TAG_LIMIT) throw new Problem('Tag expected');
    this.named = { tag };
    cursor.space();
    let name = cursor.need(VERB, 'Command').toUpperCase();
    const uid = name === 'UID';
    if (uid) {
      cursor.space();
      name = cursor.need(VERB, 'Command after UID').toUpperCase();
    }
    const known = uid ? WITH_UID.has(name) : ALONE.has(name) || Object.hasOwn(PARSERS, name);
    if (!known) throw new Problem('Unknown command');
    this.foreign = false;
    const verb = name as Verb;
    this.named = { tag, verb };
    this.start = { verb, uid, position: cursor.position };
    if (verb === 'REPLACE') this.append = new AppendParse('REPLACE');
  }

  /**
   * Where the literal announced at the end of the last line belongs.
   * @returns what is known so far when it is a message; undefined when it is a string.
   * @throws Problem when the command is wrong already.
   */
  messageHead(): AppendHead | undefined {
    try {
      this.complete();
    } catch (error) {
      if (error instanceof Missing) return this.append.head;
      throw error;
    }
    throw new Error('a literal that nobody wants');
  }

  /** @throws Problem, Missing */
  complete(): Command {
    if (!this.start) throw new Error('not opened');
    const { verb, uid, position } = this.start;
    const { tag } = this.named;
    const cursor = new Cursor(this.lines, this.literals, this.mode, position.line, position.at);
    if (isAlone(verb) || (verb === 'EXPUNGE' && !uid)) {
      cursor.end();
      return { tag, uid, verb };
    }
    cursor.space();
    const command = { tag, uid, ...PARSERS[verb](cursor, { uid, mode: this.mode, append: this.append }) };
    cursor.end();
    return command;
  }
}

const isAlone = (verb: Verb): verb is Alone => ALONE.has(verb);
