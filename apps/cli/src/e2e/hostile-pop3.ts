import type { HostileCase } from './hostile-smtp.js';
import { addressOf, PASSWORD } from './harness.js';

const ERR = /^-ERR/;
const OK = /^\+OK/;
const BOB = addressOf('bob');

const line = (send: string, ...replies: RegExp[]): HostileCase['talk'][number] => ({ send: `${send}\r\n`, replies });
const LOGIN = [line(`USER ${BOB}`, OK), line(`PASS ${PASSWORD}`, OK)];
const afterLogin = (name: string, ...sends: string[]): HostileCase => ({
  name,
  talk: [...LOGIN, ...sends.map((send) => line(send, ERR))],
});
const closes = (name: string, send: string | Buffer, replies: RegExp[] = [ERR]): HostileCase => ({
  name,
  talk: [{ send, replies, orClosed: true }],
});

/** The mailbox of bob holds exactly one message. */
export const HOSTILE_POP3: readonly HostileCase[] = [
  { name: 'a command that does not exist', talk: [line('FOO', ERR)] },
  { name: 'an empty line', talk: [line('', ERR)] },
  { name: 'RETR before login', talk: [line('RETR 1', ERR)] },
  { name: 'STAT before login', talk: [line('STAT', ERR)] },
  { name: 'PASS before USER', talk: [line('PASS secret', ERR)] },
  { name: 'USER without a name', talk: [line('USER', ERR)] },
  { name: 'APOP with nonsense', talk: [line('APOP bob zzzz', ERR)] },
  { name: 'AUTH with broken base64', talk: [line('AUTH PLAIN !!!!', ERR)] },
  { name: 'a mechanism that does not exist', talk: [line('AUTH FOO', ERR)] },
  afterLogin('USER after login', `USER ${BOB}`),
  afterLogin('message numbers that are none', 'RETR 0', 'RETR -1', 'RETR 2', 'RETR 1x', 'RETR', 'RETR 1e3'),
  afterLogin('message numbers beyond any number', `RETR ${'9'.repeat(20)}`, `DELE ${'9'.repeat(200)}`, `LIST ${'9'.repeat(40)}`),
  afterLogin('TOP with wrong counts', 'TOP 1', 'TOP 1 -1', 'TOP 1 x', 'TOP 2 1'),
  afterLogin('UIDL and LIST of what is not there', 'UIDL 2', 'LIST 2', 'UIDL x'),
  { name: 'DELE twice of the same message', talk: [...LOGIN, line('DELE 1', OK), line('DELE 1', ERR), line('RETR 1', ERR), line('RSET', OK)] },
  closes('a command of 1 MB', `${'x'.repeat(1_000_000)}\r\n`),
  closes('5,000 pipelined commands that do not exist', 'JUNK\r\n'.repeat(5_000), Array<RegExp>(5_000).fill(ERR)),
  closes('a zero octet in a command', 'NO\0OP\r\n'),
  closes('a bare LF as the end of a command', 'CAPA\nSTAT\r\n'),
  closes('8-bit in a user name', Buffer.from('USER ボブ\xff\r\n', 'latin1'), [/^[+-]/]),
  closes('a TLS ClientHello on a plain port', Buffer.from('16030100c6010000c20303000d0a', 'hex')),
];
