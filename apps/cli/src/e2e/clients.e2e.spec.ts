import { chownSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { run, type CommandResult } from '@kiroku/infra/rig/kiroku.js';
import { SmtpClient } from '@kiroku/infra/rig/smtp-client.js';
import { addressOf, crlf, installed, letter, PASSWORD, useFolder, useServer } from './harness.js';

const CLIENTS = ['swaks', 'msmtp', 'curl', 'fetchmail', 'mpop', 'getmail'];
const missing = CLIENTS.filter((client) => !installed(client));

const server = useServer(['alice', 'bob']);
const folder = useFolder();
const ALICE = addressOf('alice');
/** Who sends without a login: an own address without one may not be believed. */
const STRANGER = 'stranger@outside.test';
const BOB = addressOf('bob');

type Tls = 'no TLS' | 'STARTTLS' | 'implicit TLS';
type Mechanism = 'PLAIN' | 'LOGIN' | 'CRAM-MD5';

interface Sending {
  readonly client: string;
  readonly tls: Tls;
  readonly auth?: Mechanism;
  readonly send: (token: string) => Promise<CommandResult>;
}

interface Fetching {
  readonly client: string;
  readonly tls: Tls;
  readonly how: string;
  /** Fetches the only message there is. */
  readonly fetch: (token: string) => Promise<Buffer>;
}

/** Where to send: the MX port without login, submission or SMTPS with one. */
const sendPort = (tls: Tls, auth: Mechanism | undefined): number => {
  const { smtp, submission, smtps } = server.kiroku.ports;
  return tls === 'implicit TLS' ? smtps : auth ? submission : smtp;
};
const popPort = (tls: Tls): number => (tls === 'implicit TLS' ? server.kiroku.ports.pop3s : server.kiroku.ports.pop3);

const must = async (file: string, args: string[], input?: string): Promise<CommandResult> => {
  const result = await run(file, args, { ...process.env, HOME: folder.path, LC_ALL: 'C' }, input);
  if (result.code !== 0) {
    throw new Error(`${file} ended with ${result.code}\n${result.stdout.slice(-2_000)}${result.stderr.slice(-2_000)}`);
  }
  return result;
};

const sendings: Sending[] = [
  ...bySwaks('no TLS', undefined),
  ...bySwaks('STARTTLS', undefined),
  ...(['PLAIN', 'LOGIN', 'CRAM-MD5'] as const).flatMap((auth) => [
    ...bySwaks('no TLS', auth),
    ...bySwaks('STARTTLS', auth),
    ...bySwaks('implicit TLS', auth),
    ...byMsmtp('STARTTLS', auth),
    ...byMsmtp('implicit TLS', auth),
    ...byCurl('STARTTLS', auth),
    ...byCurl('implicit TLS', auth),
  ]),
  ...byMsmtp('no TLS', undefined),
  ...byCurl('no TLS', undefined),
];

function bySwaks(tls: Tls, auth: Mechanism | undefined): Sending[] {
  const send = (token: string): Promise<CommandResult> => {
    const file = folder.file(token, letter(token, BOB).slice(0, -1)); // swaks ends the last line itself
    return must('swaks', [
      ...['--server', '127.0.0.1', '--port', `${sendPort(tls, auth)}`, '--helo', 'client.test'],
      ...['--from', auth ? ALICE : STRANGER, '--to', BOB, '--data', `@${file}`],
      ...(tls === 'STARTTLS' ? ['--tls'] : tls === 'implicit TLS' ? ['--tls-on-connect'] : []),
      ...(auth ? ['--auth', auth, '--auth-user', ALICE, '--auth-password', PASSWORD] : []),
    ]);
  };
  return [{ client: 'swaks', tls, ...(auth && { auth }), send }];
}

function byMsmtp(tls: Tls, auth: Mechanism | undefined): Sending[] {
  const send = (token: string): Promise<CommandResult> => {
    const config = [
      'account default',
      'host 127.0.0.1',
      `port ${sendPort(tls, auth)}`,
      `from ${auth ? ALICE : STRANGER}`,
      ...(auth ? [`auth ${auth.toLowerCase()}`, `user ${ALICE}`, `password "${PASSWORD}"`] : ['auth off']),
      ...tlsOfMsmtp(tls),
    ];
    return must('msmtp', ['-C', folder.file(`${token}.rc`, `${config.join('\n')}\n`), BOB], letter(token, BOB));
  };
  return [{ client: 'msmtp', tls, ...(auth && { auth }), send }];
}

/** The same three lines in msmtp and mpop. */
const tlsOfMsmtp = (tls: Tls): string[] =>
  tls === 'no TLS' ? ['tls off'] : ['tls on', `tls_starttls ${tls === 'STARTTLS' ? 'on' : 'off'}`, 'tls_certcheck off'];

function byCurl(tls: Tls, auth: Mechanism | undefined): Sending[] {
  const send = (token: string): Promise<CommandResult> =>
    must('curl', [
      ...['-sS', '--max-time', '60', ...tlsOfCurl(tls)],
      ...['--url', `${tls === 'implicit TLS' ? 'smtps' : 'smtp'}://127.0.0.1:${sendPort(tls, auth)}/client.test`],
      ...['--mail-from', auth ? ALICE : STRANGER, '--mail-rcpt', BOB, '-T', folder.file(token, crlf(letter(token, BOB)))],
      ...(auth ? ['--user', `${ALICE}:${PASSWORD}`, '--login-options', `AUTH=${auth}`] : []),
    ]);
  return [{ client: 'curl', tls, ...(auth && { auth }), send }];
}

const tlsOfCurl = (tls: Tls): string[] => (tls === 'no TLS' ? [] : ['-k', '--ssl-reqd']);

const isRoot = process.getuid?.() === 0; // getmail refuses to store mail as root
const NOBODY = 65534;

const ALL_TLS: readonly Tls[] = ['no TLS', 'STARTTLS', 'implicit TLS'];

const fetchings: Fetching[] = ALL_TLS.flatMap((tls) => [
  { client: 'curl', tls, how: 'USER', fetch: curlFetch(tls, []) },
  { client: 'curl', tls, how: 'AUTH PLAIN', fetch: curlFetch(tls, ['--login-options', 'AUTH=PLAIN']) },
  { client: 'fetchmail', tls, how: 'USER', fetch: fetchmailFetch(tls) },
  { client: 'mpop', tls, how: 'USER', fetch: mpopFetch(tls, 'user') },
  { client: 'mpop', tls, how: 'AUTH CRAM-MD5', fetch: mpopFetch(tls, 'cram-md5') },
  // getmail knows no STLS.
  ...(tls === 'STARTTLS' ? [] : [{ client: 'getmail', tls, how: 'USER', fetch: getmailFetch(tls) }]),
]);

function curlFetch(tls: Tls, more: string[]): Fetching['fetch'] {
  return async (token) => {
    const file = join(folder.path, `${token}.got`);
    const url = `${tls === 'implicit TLS' ? 'pop3s' : 'pop3'}://127.0.0.1:${popPort(tls)}/1`;
    const login = ['--user', `${BOB}:${PASSWORD}`, ...more];
    await must('curl', ['-sS', '--max-time', '60', ...tlsOfCurl(tls), ...login, '--url', url, '-o', file]);
    return readFileSync(file);
  };
}

function fetchmailFetch(tls: Tls): Fetching['fetch'] {
  return async (token) => {
    const file = join(folder.path, `${token}.got`);
    const sslproto = { 'no TLS': "sslproto ''", 'STARTTLS': "sslproto 'TLS1.2+'", 'implicit TLS': 'ssl' }[tls];
    const rc = `poll 127.0.0.1 service ${popPort(tls)} protocol pop3 username "${BOB}" password "${PASSWORD}" ${sslproto} no rewrite mda "cat >> ${file}"\n`;
    const state = ['--pidfile', `${file}.pid`, '--idfile', `${file}.ids`];
    await must('fetchmail', ['-f', folder.file(`${token}.rc`, rc), '--nosslcertck', '--nosyslog', '--nodetach', '--invisible', ...state]);
    return readFileSync(file);
  };
}

function mpopFetch(tls: Tls, auth: string): Fetching['fetch'] {
  return async (token) => {
    const maildir = makeMaildir(token);
    const config = [
      'account default',
      'host 127.0.0.1',
      `port ${popPort(tls)}`,
      `auth ${auth}`,
      `user ${BOB}`,
      `password "${PASSWORD}"`,
      ...tlsOfMsmtp(tls),
      `delivery maildir ${maildir}`,
      `uidls_file ${maildir}.uidls`,
      'received_header off',
    ];
    await must('mpop', ['-C', folder.file(`${token}.rc`, `${config.join('\n')}\n`)]);
    return onlyMail(maildir);
  };
}

function getmailFetch(tls: Tls): Fetching['fetch'] {
  return async (token) => {
    const maildir = makeMaildir(token);
    if (isRoot) for (const part of ['', 'new', 'cur', 'tmp']) chownSync(join(maildir, part), NOBODY, NOBODY);
    const type = tls === 'implicit TLS' ? 'SimplePOP3SSLRetriever' : 'SimplePOP3Retriever';
    const rc = [
      ...['[retriever]', `type = ${type}`, 'server = 127.0.0.1', `port = ${popPort(tls)}`],
      ...[`username = ${BOB}`, `password = ${PASSWORD}`],
      ...['[destination]', 'type = Maildir', `path = ${maildir}/`, ...(isRoot ? ['user = nobody'] : [])],
      ...['[options]', 'delivered_to = false', 'received = false', 'delete = true', 'verbose = 0'],
    ];
    const file = folder.file(`${token}.rc`, `${rc.join('\n')}\n`);
    await must('getmail', ['--rcfile', file, '--getmaildir', folder.path]);
    return onlyMail(maildir);
  };
}

function makeMaildir(token: string): string {
  const maildir = join(folder.path, `${token}.maildir`);
  for (const part of ['new', 'cur', 'tmp']) mkdirSync(join(maildir, part), { recursive: true });
  return maildir;
}

function onlyMail(maildir: string): Buffer {
  const files = readdirSync(join(maildir, 'new'));
  expect(files).toHaveLength(1);
  return readFileSync(join(maildir, 'new', files[0]!));
}

const tokenOf = (...words: (string | undefined)[]): string => words.filter(Boolean).join('-').replace(/[^\w-]+/g, '_');

describe('the real mail clients of this test', () => {
  it('are all installed where the pipeline runs', () => {
    if (missing.length) console.warn(`not installed here, and therefore not tried: ${missing.join(', ')}`);
    expect(process.env.CI ? missing : []).toEqual([]);
  });
});

describe('a login without TLS', () => {
  if (installed('swaks')) {
    server.it('is not even offered until the administrator allows it', async () => {
      const to = ['--server', '127.0.0.1', '--port', `${sendPort('no TLS', 'PLAIN')}`, '--from', ALICE, '--to', BOB];
      const { code, stdout } = await run('swaks', [...to, '--auth', 'PLAIN', '--auth-user', ALICE, '--auth-password', PASSWORD]);
      expect(code).not.toBe(0);
      expect(stdout).not.toMatch(/ -> +AUTH/);
    });
  }
});

/** What comes after this also logs in without TLS. */
const allowPlainLogin = (): Promise<string> => server.kiroku.must('settings', 'set', 'plainAuthWithoutTls=on');

describe('a message sent by a real client', () => {
  beforeAll(allowPlainLogin);

  for (const { client, tls, auth, send } of sendings.filter(({ client }) => !missing.includes(client))) {
    server.it(`arrives unchanged from ${client} over ${tls}${auth ? ` with AUTH ${auth}` : ''}`, async () => {
      const token = tokenOf('sent', client, tls, auth);
      await send(token);
      const message = await server.arrived('bob', token);
      const sent = crlf(letter(token, BOB));
      expect(message.subarray(-sent.length).toString()).toBe(sent.toString());
    });
  }

  if (installed('swaks')) {
    server.it('is refused to a stranger with a wrong password, and swaks says so', async () => {
      const to = ['--server', '127.0.0.1', '--port', `${sendPort('STARTTLS', 'PLAIN')}`, '--from', ALICE, '--to', BOB];
      const login = ['--tls', '--auth', 'PLAIN', '--auth-user', ALICE, '--auth-password', 'wrong'];
      const { code, stdout, stderr } = await run('swaks', [...to, ...login]);
      expect(code).not.toBe(0);
      expect(stdout + stderr).toMatch(/ 535[ -]/);
    });
  }
});

describe('a message in a mailbox', () => {
  beforeAll(allowPlainLogin);

  for (const { client, tls, how, fetch } of fetchings.filter(({ client }) => !missing.includes(client))) {
    server.it(`is fetched unchanged by ${client} over ${tls} with ${how}`, async () => {
      const token = tokenOf('fetched', client, tls, how);
      await server.empty('bob');
      const sender = await SmtpClient.hello({ port: server.kiroku.ports.smtp });
      expect(await sender.send(STRANGER, [BOB], crlf(letter(token, BOB)))).toMatchObject({ code: 250 });
      await sender.quit();
      await server.arrived('bob', token);
      const got = (await fetch(token)).toString('utf8').replaceAll('\r\n', '\n');
      const sent = letter(token, BOB);
      expect(got.slice(-sent.length)).toBe(sent);
    });
  }
});
