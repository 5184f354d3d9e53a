import { octets } from './binary.js';
import { CommandReader, type ReaderMode, type Step } from './command-reader.js';
import type { BadCommand, Command } from './commands.js';

export const MODE: ReaderMode = { authenticated: true, utf8: false, utf8Accept: false, messageLimit: 1_000_000 };

/** Text as octets in UTF-8. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What a conversation came to. `invited`: how often the client was told to send its literal. */
export interface Heard {
  readonly said: readonly (Command | BadCommand)[];
  readonly messages: readonly Uint8Array[];
  readonly invited: number;
  readonly dropped: number;
  /** The input ended within a command. */
  readonly midway: boolean;
}

/** Reads all that a client sends as a server would, without a network. For tests only. */
export function hear(input: Uint8Array | string, mode: Partial<ReaderMode> = {}): Heard {
  const all = typeof input === 'string' ? bytes(input) : input;
  const reader = new CommandReader();
  const said: (Command | BadCommand)[] = [];
  const messages: Uint8Array[] = [];
  let [invited, dropped, at] = [0, 0, 0];
  for (let end = lineEnd(all, at); end >= 0; end = lineEnd(all, at)) {
    const step: Step = reader.line(all.subarray(at, end), { ...MODE, ...mode });
    at = end + 2;
    if (step.step === 'command') said.push(step.command);
    if (step.step === 'bad') said.push(step.bad);
    if (step.step !== 'literal') continue;
    if (at + step.size > all.length) break;
    const literal = all.subarray(at, (at += step.size));
    if (step.sync) invited++;
    if (step.into === 'memory') reader.literal(literal);
    else reader.skipped();
    if (step.into === 'message') messages.push(literal.slice());
    if (step.into === 'nowhere') dropped += step.size;
  }
  return { said, messages, invited, dropped, midway: reader.midway };
}

function lineEnd(all: Uint8Array, from: number): number {
  for (let at = all.indexOf(13, from); at >= 0; at = all.indexOf(13, at + 1)) if (all[at + 1] === 10) return at;
  return -1;
}

/** The one command that these lines are, without its tag. */
export function read(lines: string, mode: Partial<ReaderMode> = {}): Record<string, unknown> {
  const { said } = hear(`t ${lines}\r\n`, mode);
  const [first, more] = said;
  if (!first || more) throw new Error(`${said.length} commands: ${JSON.stringify(said)}`);
  const { tag, ...rest } = first;
  if (tag !== 't') throw new Error(`the tag is ${tag}`);
  return rest;
}

/** Octets of a binary string, for charsets that are not UTF-8. */
export const raw = octets;
