import { type Decider, Refusal } from '../kernel/decider.js';
import type { Fact } from '../kernel/event.js';
import {
  type GatewayLine, type GatewayRow, isRow, LARGEST_TABLE, LINE_ERRORS, LONGEST_LINE, MOST_LINES, parseLine, parseTable, printLine, printTable, rowOf, type RowWish, wordsOf,
} from './gateway-table.js';

/** Stream `gateways`: the whole table is one decision, because the order of its rows is. Every event carries all of it. */
export const GATEWAYS_STREAM = 'gateways';

export interface GatewayTable {
  /** Counts the changes, from 1; 0 = there was none yet. */
  readonly revision: number;
  /** Mail for local recipients goes to their gateway too. */
  readonly forwardAll: boolean;
  readonly lines: readonly GatewayLine[];
}

/** What was done; lines count from 1. */
export type GatewayChange =
  | { readonly kind: 'imported' | 'forward-all' }
  | { readonly kind: 'added' | 'changed' | 'removed'; readonly line: number }
  | { readonly kind: 'moved'; readonly line: number; readonly to: number }
  /** The table stays as it is. It says so, because a row must not begin to use credentials while they are removed. */
  | { readonly kind: 'credentials-removed'; readonly name: string };

export type GatewayEvent = Fact<'GatewayTableChanged', GatewayTable & { readonly change: GatewayChange }>;

/** A new line: a row, or a comment with its mark. */
export type LineWish = RowWish | { readonly comment: string };
export type RowChanges = { readonly [K in keyof RowWish]?: RowWish[K] | null | undefined };

/** `revision`: refuse when the table is another one by now. */
export type GatewayCommand =
  | { readonly type: 'ImportTable'; readonly text: string; readonly revision?: number | undefined }
  /** At the end without `at`. */
  | { readonly type: 'AddLine'; readonly line: LineWish; readonly at?: number | undefined; readonly revision?: number | undefined }
  /** null takes a sender condition or credentials away. */
  | { readonly type: 'ChangeLine'; readonly at: number; readonly changes: RowChanges; readonly revision?: number | undefined }
  | { readonly type: 'RemoveLine'; readonly at: number; readonly revision?: number | undefined }
  /** The line is number `to` afterwards. */
  | { readonly type: 'MoveLine'; readonly at: number; readonly to: number; readonly revision?: number | undefined }
  | { readonly type: 'SetForwardAll'; readonly forwardAll: boolean; readonly revision?: number | undefined }
  | { readonly type: 'ForgetCredentials'; readonly name: string; readonly revision?: undefined };

export type GatewayRefusal =
  /** Somebody changed the table since it was looked at. */
  | 'stale-table'
  | 'bad-table'
  | 'bad-gateway-line'
  | 'no-such-line'
  | 'too-many-lines'
  | 'credentials-in-use';

export const refuseGateway = (reason: GatewayRefusal, detail?: string): never => {
  throw new Refusal<GatewayRefusal>(reason, detail);
};

const NO_TABLE: GatewayTable = { revision: 0, forwardAll: false, lines: [] };

/** Names of the credentials that these lines use. */
export const credentialsIn = (lines: readonly GatewayLine[]): readonly string[] =>
  [...new Set(lines.flatMap((line) => (isRow(line) && line.credentials !== undefined ? [line.credentials] : [])))];

export const gatewayDecider: Decider<GatewayCommand, GatewayEvent, GatewayTable> = {
  initial: NO_TABLE,

  decide(command, state) {
    const { lines } = state;
    if (command.revision !== undefined && command.revision !== state.revision)
      return refuseGateway('stale-table', `revision ${state.revision}, not ${command.revision}`);
    switch (command.type) {
      case 'ImportTable':
        return changed(state, imported(command.text), { kind: 'imported' });
      case 'AddLine': {
        const { at = lines.length + 1 } = command;
        if (at !== lines.length + 1) existing(state, at);
        return changed(state, lines.toSpliced(at - 1, 0, lineOf(command.line)), { kind: 'added', line: at });
      }
      case 'ChangeLine':
        return changed(state, lines.with(command.at - 1, rowWith(existing(state, command.at), command.changes)), { kind: 'changed', line: command.at });
      case 'RemoveLine':
        existing(state, command.at);
        return changed(state, lines.toSpliced(command.at - 1, 1), { kind: 'removed', line: command.at });
      case 'MoveLine': {
        const { at, to } = command;
        const line = existing(state, at);
        existing(state, to);
        return changed(state, lines.toSpliced(at - 1, 1).toSpliced(to - 1, 0, line), { kind: 'moved', line: at, to });
      }
      case 'SetForwardAll': {
        const { forwardAll } = command;
        return forwardAll === state.forwardAll ? [] : [event({ ...state, forwardAll }, { kind: 'forward-all' })];
      }
      case 'ForgetCredentials': {
        const { name } = command;
        const used = lines.findIndex((line) => isRow(line) && line.credentials === name);
        if (used >= 0) return refuseGateway('credentials-in-use', `line ${used + 1}: ${printLine(lines[used] as GatewayRow)}`);
        return [event(state, { kind: 'credentials-removed', name })];
      }
    }
  },

  evolve: (_, { data: { revision, forwardAll, lines } }) => ({ revision, forwardAll, lines }),
};

const event = (table: GatewayTable, change: GatewayChange): GatewayEvent =>
  ({ type: 'GatewayTableChanged', data: { ...table, revision: table.revision + 1, change } });

function changed(state: GatewayTable, lines: readonly GatewayLine[], change: GatewayChange): readonly GatewayEvent[] {
  const text = printTable(lines);
  if (text === printTable(state.lines)) return [];
  if (lines.length > MOST_LINES) return refuseGateway('too-many-lines', `at most ${MOST_LINES}`);
  if (text.length > LARGEST_TABLE) return refuseGateway('too-many-lines', LINE_ERRORS['too-large']);
  return [event({ ...state, lines }, change)];
}

function imported(text: string): readonly GatewayLine[] {
  const { lines, errors } = parseTable(text);
  return errors.length > 0 ? refuseGateway('bad-table', wordsOf(errors)) : lines;
}

const existing = ({ lines }: GatewayTable, at: number): GatewayLine => lines[at - 1] ?? refuseGateway('no-such-line', `line ${at} of ${lines.length}`);

function lineOf(wish: LineWish): GatewayLine {
  const line = 'comment' in wish ? parseLine(wish.comment) : rowOf(wish);
  if ('error' in line) return refuseGateway('bad-gateway-line', `${LINE_ERRORS[line.error]}${line.detail === '' ? '' : `: ${line.detail}`}`);
  // A comment that reads as a row would be one after the next import.
  if ('comment' in wish && isRow(line)) return refuseGateway('bad-gateway-line', "a comment begins with ', ;, # or a blank");
  return printLine(line).length > LONGEST_LINE ? refuseGateway('bad-gateway-line', LINE_ERRORS['too-long']) : line;
}

function rowWith(line: GatewayLine, changes: RowChanges): GatewayLine {
  if (!isRow(line)) return refuseGateway('bad-gateway-line', 'that line is a comment');
  const wanted = Object.fromEntries(Object.entries({ ...line, ...definedOf(changes) }).filter(([, value]) => value !== null));
  return lineOf(wanted as unknown as RowWish);
}

const definedOf = (changes: RowChanges): RowChanges => Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
