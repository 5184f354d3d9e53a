import type { AppendHead } from './append.js';
import { binary } from './binary.js';
import type { BadCommand, Command } from './commands.js';
import { Problem } from './cursor.js';
import { Draft } from './draft.js';
import { type LiteralSpec, literalAtEnd } from './literal.js';
import type { Mode } from './parse.js';

/** What the connection is in when a command begins. */
export interface ReaderMode extends Mode {
  readonly authenticated: boolean;
  /** Octets of one literal of APPEND, REPLACE and CATENATE (APPENDLIMIT). */
  readonly messageLimit: number;
}

/**
 * Octets. `line`: one line without CRLF; `command`: all its lines; `memory`: all its literals that are no messages. A stranger has less:
 * enough for a login with Kerberos-sized initial responses, and literals as long as RFC 7888 §5 lets LITERAL- have them.
 */
export const READER_LIMITS = { line: 65_536, command: 262_144, memory: 65_536, commandBeforeLogin: 16_384, memoryBeforeLogin: 4_096 } as const;

/**
 * Octets to be read from the connection before the next line. `sync`: the client waits for `+ ` first. `into`: `memory`: gather them and
 * call `literal`; `message`: lead them to the object store and call `skipped`; `nowhere`: the command is refused already, read them
 * away and call `skipped`, or hang up when they are too many.
 */
export interface LiteralNeeded {
  readonly step: 'literal';
  readonly into: 'memory' | 'message' | 'nowhere';
  readonly size: number;
  readonly sync: boolean;
  /** literal8: may hold NUL. */
  readonly binary: boolean;
  /** With `message`: what is known of the command so far. A server that will not have it calls `refuse`. */
  readonly head?: AppendHead;
}

export type Step = { readonly step: 'command'; readonly command: Command } | { readonly step: 'bad'; readonly bad: BadCommand } | LiteralNeeded;

/**
 * Puts one command after the other together from lines and literals. The caller owns the connection: it reads a line (at most
 * READER_LIMITS.line octets, without CRLF), calls `line`, and does what the step says; after a literal comes the next line. After
 * `command` and `bad` the reader is ready for the next command. Whatever the octets are, it answers with a step and never throws;
 * an Error is a bug of the caller.
 */
export class CommandReader {
  private lines: string[] = [];
  private literals: (string | number)[] = [];
  private draft: Draft | undefined;
  private octets = 0;
  private memory = 0;
  private messages = 0;
  private awaiting: LiteralNeeded | undefined;
  private refused: BadCommand | undefined;

  /** Within a command: a literal or the rest of it is to come. */
  get midway(): boolean {
    return this.draft !== undefined;
  }

  /**
   * @param bytes a line without its CRLF; not kept.
   * @param mode looked at when a command begins.
   */
  line(bytes: Uint8Array, mode: ReaderMode): Step {
    if (this.awaiting) throw new Error('a literal is due');
    const text = binary(bytes);
    const spec = literalAtEnd(text);
    if (this.refused) return spec && !spec.sync ? this.drop(spec) : this.end({ step: 'bad', bad: this.refused });
    this.lines.push(text);
    this.octets += text.length;
    this.draft ??= new Draft(this.lines, this.literals, mode);
    try {
      this.draft.look();
      if (this.octets > (mode.authenticated ? READER_LIMITS.command : READER_LIMITS.commandBeforeLogin)) throw new Problem('The command is too long', 'NO', 'LIMIT');
      if (spec) return (this.awaiting = this.need(spec, this.draft, mode));
      return this.end({ step: 'command', command: this.draft.complete() });
    } catch (error) {
      if (error instanceof Problem) return this.refuseFor(error, spec);
      throw error;
    }
  }

  /** The octets of a literal for `memory`; not kept. */
  literal(bytes: Uint8Array): void {
    if (this.awaiting?.into !== 'memory' || bytes.length !== this.awaiting.size) throw new Error('not the literal that was asked for');
    this.literals.push(binary(bytes));
    this.memory += bytes.length;
    this.awaiting = undefined;
  }

  /** A literal for `message` or `nowhere` has been read. */
  skipped(): void {
    if (!this.awaiting || this.awaiting.into === 'memory') throw new Error('no such literal is due');
    if (this.awaiting.into === 'message') this.literals.push(this.messages++);
    this.awaiting = undefined;
  }

  /**
   * Refuses the command in place of reading the literal that was asked for, or when its message could not be kept (after `skipped`:
   * the next line then ends in `bad`). @returns what to do next: `bad`, or a literal to be read away first.
   */
  refuse(refusal: Pick<BadCommand, 'status' | 'code' | 'text'>): Step | undefined {
    if (!this.draft) throw new Error('there is no command to refuse');
    this.refused ??= { ...this.draft.named, ...refusal };
    const literal = this.awaiting;
    if (!literal) return undefined;
    this.awaiting = undefined;
    return literal.sync ? this.end({ step: 'bad', bad: this.refused }) : this.drop(literal);
  }

  /** The line was longer than the limit and is lost. What follows is taken for a new command. */
  tooLong(): Step {
    const bad: BadCommand = this.refused ?? { tag: '*', ...this.draft?.named, status: 'BAD', text: 'The line is too long' };
    return this.end({ step: 'bad', bad });
  }

  private refuseFor({ status, code, text }: Problem, spec: LiteralSpec | undefined): Step {
    const bad = { tag: '*', ...this.draft?.named, status, ...(code !== undefined && { code }), text, ...(this.draft?.foreign && { foreign: true as const }) };
    if (!spec || spec.sync) return this.end({ step: 'bad', bad });
    this.refused = bad;
    return this.drop(spec);
  }

  /** @throws Problem */
  private need({ size, sync, binary }: LiteralSpec, draft: Draft, mode: ReaderMode): LiteralNeeded {
    const head = draft.takesMessages ? draft.messageHead() : undefined;
    if (head) {
      if (!mode.authenticated) throw new Problem('Not before login');
      // RFC 7889 §3.2.
      if (size > mode.messageLimit) throw new Problem('The message is too large', 'NO', 'TOOBIG');
      return { step: 'literal', into: 'message', size, sync, binary, head };
    }
    const limit = mode.authenticated ? READER_LIMITS.memory : READER_LIMITS.memoryBeforeLogin;
    if (this.memory + size > limit) throw new Problem('The literal is too long', 'NO', 'LIMIT');
    return { step: 'literal', into: 'memory', size, sync, binary };
  }

  private drop({ size, binary }: Pick<LiteralSpec, 'size' | 'binary'>): Step {
    return (this.awaiting = { step: 'literal', into: 'nowhere', size, sync: false, binary });
  }

  /** Ready for the next command. */
  private end(step: Step): Step {
    this.lines = [];
    this.literals = [];
    this.octets = this.memory = this.messages = 0;
    this.draft = this.awaiting = this.refused = undefined;
    return step;
  }
}

const DONE = /^done$/i;

/** The line that ends IDLE (RFC 2177). */
export const isDone = (line: Uint8Array): boolean => line.length === 4 && DONE.test(binary(line));
