import { type Command, Option } from 'commander';
import type { Language, Text } from '@kiroku/domain/story/texts.js';
import { localTime } from '@kiroku/domain/story/words.js';
import { AdminClient, Failed } from './client.js';
import { pairs, table, type Terminal } from './terminal.js';
import { type Heading, HEADINGS, languageOf, say, type Saying } from './texts.js';

/** A command while it runs: whom it speaks to, and how. */
export class Run {
  #client: AdminClient | undefined;

  constructor(
    readonly terminal: Terminal,
    readonly language: Language,
    readonly json: boolean,
  ) {}

  get api(): AdminClient {
    return (this.#client ??= AdminClient.of(this.terminal.env));
  }

  out(text: string): void {
    this.terminal.output.write(text);
  }

  /** One JSON value, on a line of its own. */
  value(value: unknown): void {
    this.out(`${JSON.stringify(value)}\n`);
  }

  /** The outcome of a change: the thing as it is now, or in words what was done. */
  done(saying: Saying, name: string, value?: unknown): void {
    if (this.json) this.value(value ?? { done: true });
    else this.out(`${say(this.language, saying, name)}\n`);
  }

  /** Every item in columns; with --json one list. */
  async list<T>(items: AsyncIterable<T> | Iterable<T>, columns: Columns<T>): Promise<void> {
    const all: T[] = [];
    for await (const item of items) all.push(item);
    if (this.json) return this.value(all);
    if (all.length === 0) return void this.terminal.errors.write(`${say(this.language, 'none')}\n`);
    const headings = Object.keys(columns) as Heading[];
    this.out(table(headings.map((h) => this.heading(h)), all.map((item) => headings.map((h) => this.cell(columns[h]?.(item, this))))));
  }

  show<T>(item: T, columns: Columns<T>): void {
    if (this.json) return this.value(item);
    this.out(pairs((Object.keys(columns) as Heading[]).map((h) => [this.heading(h), this.cell(columns[h]?.(item, this))])));
  }

  heading(heading: Heading): string {
    return HEADINGS[heading][this.language];
  }

  text(text: Text): string {
    return text[this.language];
  }

  cell(value: Cell): string {
    if (value === undefined || value === null || value === '') return '-';
    if (typeof value === 'boolean') return value ? { en: 'yes', ja: 'はい' }[this.language] : { en: 'no', ja: 'いいえ' }[this.language];
    return String(value);
  }

  time(at: number | null): string {
    return at === null || at === 0 ? '' : localTime(at, this.terminal.offset(at));
  }
}

type Cell = string | number | boolean | null | undefined;
export type Columns<T> = { readonly [H in Heading]?: (item: T, run: Run) => Cell };

/** Something is wrong, and all about it has been told: only the exit code 1 is left. */
export class Told extends Error {}

export type Adder = (parent: Command, terminal: Terminal) => void;

/**
 * A command that does something: with --json and --lang, which every command has. Its action gets its arguments and options.
 */
export function leaf<Arguments extends readonly unknown[], Options extends object>(
  parent: Command, terminal: Terminal, usage: string, description: string,
  action: (run: Run, args: Arguments, options: Options) => Promise<void>,
): Command {
  return parent
    .command(usage)
    .description(description)
    .option('--json', 'print JSON')
    .addOption(new Option('--lang <language>', 'en or ja; as LANG says by default').choices(['en', 'ja']))
    .action(async function (this: Command) {
      const options = this.opts<Options & { json?: boolean; lang?: string }>();
      const run = new Run(terminal, languageOf(terminal.env, options.lang), options.json === true);
      await action(run, this.processedArgs as unknown as Arguments, options);
    });
}

/** @throws Failed when it is no whole number. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Failed('badSetting', [text], true);
  return Number(text);
}

/** Bytes with an optional unit of 1024: 500M, 2G. */
export function byteCount(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,12})([KMGT]?)B?$/i.exec(text) ?? [];
  if (digits === undefined) throw new Failed('badSetting', [text], true);
  return Number(digits) * 1024 ** ('KMGT'.indexOf(unit.toUpperCase() || ' ') + 1);
}

/** on/off, yes/no, true/false, 1/0. */
export function onOff(text: string): boolean {
  if (/^(on|yes|true|1)$/i.test(text)) return true;
  if (/^(off|no|false|0)$/i.test(text)) return false;
  throw new Failed('badSetting', [text], true);
}

export const part = (text: string): string => encodeURIComponent(text);
