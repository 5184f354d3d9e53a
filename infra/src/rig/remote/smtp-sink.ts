import { chmodSync, closeSync, fstatSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../ports.js';
import { cpuSeconds } from '../processes.js';
import { daemon, end, which } from './programs.js';
import { listening } from './remote-server.js';

/** Where smtp-sink can be made to fail. */
export type SinkCommand = 'CONNECT' | 'HELO' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | '.' | 'RSET' | 'QUIT';

export interface SinkOptions {
  /** An address of 127.0.0.0/8; 127.0.0.1 when absent. */
  readonly host?: string;
  /** A free one when absent. */
  readonly port?: number;
  /** Answers these with 5xx, 4xx, or 421 and a closed connection; or closes it without a word. */
  readonly refuses?: readonly SinkCommand[];
  readonly defers?: readonly SinkCommand[];
  readonly hangsUpWith421?: readonly SinkCommand[];
  readonly hangsUp?: readonly SinkCommand[];
  /** The words of 5xx and 4xx replies: code, enhanced code, text. */
  readonly refusal?: string;
  readonly deferral?: string;
  /** Seconds (!) until it answers this command. It does not wait with commands that are pipelined behind it: offer no pipelining, but for `.`. */
  readonly waits?: { readonly command: SinkCommand; readonly seconds: number };
  /** Answers DATA with 354, waits so many seconds, and says 550 without reading. */
  readonly abortsData?: number;
  /** ESMTP extensions that it does not offer; `esmtp` = it knows HELO only. */
  readonly without?: readonly ('esmtp' | 'pipelining' | '8bitmime' | 'dsn' | 'enhanced')[];
  /** Connections at once; others wait in the listen queue. */
  readonly most?: number;
  /** Keep what arrives, for `mails`; slow. */
  readonly keep?: boolean;
}

/** A message as smtp-sink took it. */
export interface SunkMail {
  readonly helo: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  /** Parameters of MAIL and of each RCPT, as sent. */
  readonly mailArgs: string;
  readonly rcptArgs: readonly string[];
  /** Header and body as received, dots undone, lines ending in LF (smtp-sink keeps no CR). */
  readonly message: string;
}

export interface SmtpSink {
  readonly host: string;
  readonly port: number;
  /** Messages whose end it has seen so far, whatever it answered to that. Cheap. */
  count(): number;
  /** Messages whose end it has seen so far, whatever it answered to that, in no order. Needs `keep`. */
  mails(): SunkMail[];
  /** Processor seconds it has used so far. */
  cpu(): number;
  stop(): Promise<void>;
}

export const haveSmtpSink = (): boolean => which('smtp-sink') !== undefined;

const FLAGS = { refuses: '-f', defers: '-r', hangsUpWith421: '-Q', hangsUp: '-q' } as const;
const WITHOUT = { 'esmtp': '-e', 'pipelining': '-p', '8bitmime': '-8', 'dsn': '-N', 'enhanced': '-E' } as const;

/** Postfix's smtp-sink: takes mail and forgets it, as fast as a C program can, or fails at the command that it is told to. */
export async function startSmtpSink(options: SinkOptions = {}): Promise<SmtpSink> {
  const folder = mkdtempSync(join(tmpdir(), 'smtp-sink-'));
  const mails = mkdtempSync(join(folder, 'mails-'));
  for (const path of [folder, mails]) chmodSync(path, 0o777); // as root it becomes another user before it writes
  const host = options.host ?? '127.0.0.1';
  const port = options.port ?? ((await freePorts(1)) as [number])[0];
  const counters = openSync(join(folder, 'counters'), 'a+');
  const child = daemon(which('smtp-sink') ?? 'smtp-sink', argumentsOf(options, mails, `${host}:${port}`), { output: counters });
  await listening(child, host, port, 'smtp-sink');
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await end(child);
    closeSync(counters);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  return {
    host,
    port,
    count: () => lastCount(counters),
    mails: () => readdirSync(mails).flatMap((name) => sunk(readFileSync(join(mails, name), 'latin1'))),
    cpu: () => cpuSeconds([child.pid ?? 0]),
    stop: () => (stopped ??= stop()),
  };
}

function argumentsOf(options: SinkOptions, mails: string, place: string): string[] {
  const { refusal, deferral, waits, abortsData, without = [], most = 1_000, keep } = options;
  const failures = Object.entries(FLAGS).flatMap(([name, flag]) => {
    const commands = options[name as keyof typeof FLAGS];
    return commands?.length ? [flag, commands.join(',')] : [];
  });
  return [
    '-c', // counts
    ...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []),
    ...failures,
    ...(refusal === undefined ? [] : ['-B', refusal]),
    ...(deferral === undefined ? [] : ['-b', deferral]),
    ...(waits === undefined ? [] : ['-W', `${waits.command}:${waits.seconds}`]),
    ...(abortsData === undefined ? [] : ['-A', `${abortsData}`]),
    ...without.map((extension) => WITHOUT[extension]),
    ...['-m', `${most}`],
    ...(keep ? ['-d', `${mails}/`] : []),
    place,
    '1000',
  ];
}

/** smtp-sink overwrites its counters on a terminal: in a file, the last ones stand at the end. */
function lastCount(file: number): number {
  const tail = Buffer.alloc(128);
  const { size } = fstatSync(file);
  const read = readSync(file, tail, 0, tail.length, Math.max(0, size - tail.length));
  return Number([...tail.toString('latin1', 0, read).matchAll(/mesg=(\d+)\r/g)].at(-1)?.[1] ?? 0);
}

/** What smtp-sink writes in front of a message (smtp-sink(1), "Dump file format"). None when the file is not whole yet: it ends in an empty line. */
function sunk(text: string): SunkMail[] {
  if (!text.endsWith('\n\n')) return [];
  const end = text.indexOf('\nReceived: ');
  const message = end === -1 ? undefined : /^Received: .*\n(?:[ \t].*\n)*/.exec(text.slice(end + 1));
  if (!message) return [];
  const fields = text.slice(0, end).split('\n').map((line) => /^X-([A-Za-z-]+): (.*)$/.exec(line));
  const values = (name: string): string[] => fields.flatMap((field) => (field?.[1] === name ? [field[2] ?? ''] : []));
  const path = (value: string): string => /<([^>]*)>/.exec(value)?.[1] ?? value;
  const [mailArgs = ''] = values('Mail-Args');
  const rcptArgs = values('Rcpt-Args');
  return [
    {
      helo: values('Helo-Args')[0] ?? '',
      sender: path(mailArgs),
      recipients: rcptArgs.map(path),
      mailArgs,
      rcptArgs,
      message: text.slice(end + 1 + message[0].length, -1),
    },
  ];
}
