import { describe, expect } from '@jest/globals';
import { ImapClient } from '@kiroku/infra/rig/imap-client.js';
import { until } from '@kiroku/infra/rig/until.js';
import { addressOf, crlf, letter, PASSWORD, upTo, useServer } from './harness.js';
import { heldIn, imapOf, note, post, put, query } from './imap-scene.js';

const server = useServer(['both', 'full', 'off', 'gone', 'plain']);
const WRONG = 'NO [AUTHENTICATIONFAILED] Login failed';
const SECOND = 1_000;

const plainly = (): Promise<ImapClient> => ImapClient.connect({ port: server.kiroku.ports.imap });
const safely = (from?: string): Promise<ImapClient> => ImapClient.connect({ port: server.kiroku.ports.imaps, tls: true, ...(from !== undefined && { from }) });
const login = (user: string, password = PASSWORD): string => `LOGIN ${addressOf(user)} "${password}"`;

/** Reads what the server says by itself, up to this line. */
async function hears(client: ImapClient, wanted: string): Promise<void> {
  for (;;) {
    const line = await client.line();
    if (line === wanted) return;
    if (!line.startsWith('* ')) throw new Error(`${line} instead of ${wanted}`);
  }
}

async function idling(user: string): Promise<{ readonly client: ImapClient; readonly done: () => Promise<void> }> {
  const client = await imapOf(server, user);
  await client.ok('SELECT INBOX');
  const tag = client.say('IDLE');
  expect(await client.line()).toMatch(/^\+ /);
  return {
    client,
    done: async () => {
      client.socket.write('DONE\r\n');
      expect((await client.answer(tag)).end).toMatch(/^OK /);
    },
  };
}

describe('mail that comes by SMTP', () => {
  server.it('is told to a client that idles, each before the next is sent, and can be fetched at once', async () => {
    const { client, done } = await idling('plain');
    for (const number of upTo(5)) {
      await post(server, 'plain', letter(`idle-${number}`, addressOf('plain')));
      await hears(client, `* ${number} EXISTS`);
    }
    await done();
    const [fetched = ''] = await client.ok('FETCH 5 BODY.PEEK[]');
    expect(Buffer.from(fetched, 'latin1').includes(crlf(letter('idle-5', addressOf('plain'))))).toBe(true);
    await client.logout();
  });
});

describe('an INBOX read by POP3 and by IMAP', () => {
  server.it('is the same for both: what one deletes is gone for the other, at once where it idles', async () => {
    for (const token of ['first', 'second', 'third']) {
      await post(server, 'both', note(token));
      await server.arrived('both', `Subject: ${token}`); // what comes on several connections is in no order
    }
    const { client, done } = await idling('both');
    const pop3 = await server.login('both');
    await pop3.command('DELE 2');
    await pop3.quit();
    await hears(client, '* 2 EXPUNGE');
    await done();
    expect(await client.search('ALL')).toEqual([1, 3]);

    const open = await server.login('both');
    await client.ok('UID STORE 1 +FLAGS.SILENT (\\Deleted)');
    await client.ok('UID EXPUNGE 1');
    // A session's list stays what it was (RFC 1939 §4), even where a message is gone.
    expect(await open.stat()).toMatchObject({ count: 2 });
    expect((await open.retr(2)).includes('Subject: third')).toBe(true);
    await open.quit();
    expect((await server.mailOf('both')).map((message) => message.includes('Subject: third'))).toEqual([true]);
    expect(await heldIn(client, 'INBOX')).toEqual(['3 third']);
    await client.logout();
  });

  server.it('takes no message twice: what IMAP moves away is not in the next POP3 session, and comes back when it is moved back', async () => {
    const client = await imapOf(server, 'both');
    await client.ok('CREATE Away');
    await client.ok('SELECT INBOX');
    await client.ok('UID MOVE 3 Away');
    expect(await server.mailOf('both')).toEqual([]);
    await client.ok('SELECT Away');
    await client.ok('MOVE 1 INBOX');
    expect(await server.mailOf('both')).toHaveLength(1);
    await client.logout();
  });
});

describe('an account with a quota', () => {
  server.it('sees it, is refused what does not fit, and may store again when there is room', async () => {
    await server.kiroku.must('account', 'change', addressOf('full'), '--quota', '64K');
    const client = await imapOf(server, 'full');
    const large = (token: string): string => `${note(token)}${`${'x'.repeat(78)}\n`.repeat(500)}`;
    await put(client, 'INBOX', large('fits'));
    const usage = async (): Promise<string> => (await client.ok('GETQUOTAROOT INBOX')).find((line) => line.startsWith('* QUOTA ')) ?? '';
    expect(await usage()).toMatch(/STORAGE 40 64\b/);
    expect(await client.append('INBOX', crlf(large('too much')))).toMatch(/^NO \[OVERQUOTA\]/);
    await client.ok('SELECT INBOX');
    expect(await client.end('COPY 1 INBOX')).toMatch(/^NO \[OVERQUOTA\]/);
    expect(await client.search('ALL')).toEqual([1]);
    await client.ok('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await client.ok('EXPUNGE');
    expect(await usage()).toMatch(/STORAGE 0 64\b/);
    expect(await put(client, 'INBOX', large('fits again'))).toBe(2);
    await client.logout();
  });
});

describe('a login', () => {
  server.it('is not offered without TLS, nor taken; after STARTTLS it is', async () => {
    const client = await plainly();
    expect(client.greeting).toMatch(/ STARTTLS LOGINDISABLED /);
    expect(client.greeting).not.toMatch(/AUTH=(PLAIN|LOGIN)/);
    expect(await client.end(login('plain'))).toMatch(/^NO \[PRIVACYREQUIRED\]/);
    expect(await client.end(`AUTHENTICATE PLAIN ${Buffer.from(`\0${addressOf('plain')}\0${PASSWORD}`).toString('base64')}`)).toMatch(/^NO \[PRIVACYREQUIRED\]/);
    await client.startTls();
    const [capabilities = ''] = await client.ok('CAPABILITY');
    expect(capabilities).toMatch(/ AUTH=PLAIN\b/);
    expect(capabilities).not.toMatch(/STARTTLS|LOGINDISABLED/);
    expect(await client.end(login('plain'))).toMatch(/^OK \[CAPABILITY /);
    expect(await client.end('STARTTLS')).toMatch(/^BAD /);
    await client.logout();
  });

  server.it('hears nothing of a command that was slipped in behind STARTTLS', async () => {
    const client = await plainly();
    client.socket.write('a STARTTLS\r\nb CAPABILITY\r\n');
    expect(await client.line()).toMatch(/^a OK /);
    await client.socket.startTls();
    const { lines, end } = await client.ask('NOOP');
    expect({ lines, end }).toEqual({ lines: [], end: expect.stringMatching(/^OK /) });
    await client.logout();
  });

  server.it('without TLS becomes possible where the administrator allows it', async () => {
    await server.kiroku.must('settings', 'set', 'plainAuthWithoutTls=on');
    const client = await plainly();
    expect(client.greeting).toMatch(/ AUTH=PLAIN\b/);
    expect(await client.end(login('plain'))).toMatch(/^OK /);
    await client.logout();
    await server.kiroku.must('settings', 'reset', 'plainAuthWithoutTls');
  });

  server.it('is refused, in the same words as a wrong password, where IMAP is switched off or the account is disabled', async () => {
    const client = await safely();
    expect(await client.end(login('off', 'wrong'))).toBe(WRONG);
    expect(await client.end(login('nobody'))).toBe(WRONG);
    await server.kiroku.must('account', 'change', addressOf('off'), '--imap', 'off');
    expect(await client.end(login('off'))).toBe(WRONG);
    await (await server.login('off')).quit(); // POP3 is another matter
    await server.kiroku.must('account', 'change', addressOf('off'), '--imap', 'on');
    await server.kiroku.must('account', 'disable', addressOf('off'));
    expect(await client.end(login('off'))).toBe(WRONG);
    await server.kiroku.must('account', 'enable', addressOf('off'));
    expect(await client.end(login('off'))).toMatch(/^OK /);
    await client.logout();
    const told = await until('the refusals are in the history', 10 * SECOND, async () => {
      const rules = await rulesOf('off');
      return rules.length >= 3 && rules.sort();
    });
    expect(told).toEqual(['account-disabled', 'protocol-off', 'wrong-password']);
  });

  server.it('is refused to an address with too many failures, and to no other, until an administrator lets it in', async () => {
    await server.kiroku.must('settings', 'set', 'allowIps=127.0.0.1', 'lockoutFailures=3');
    const client = await safely('127.0.0.9');
    for (let failures = 1; failures < 3; failures++) expect(await client.end(login('plain', 'wrong'))).toBe(WRONG);
    const { end } = await client.ask(login('plain', 'wrong'));
    expect(end).toBe(WRONG);
    expect(await client.socket.readToEnd()).toMatch(/^\* BYE /);
    await expect(safely('127.0.0.9')).rejects.toThrow('* BYE [UNAVAILABLE]');
    await (await safely('127.0.0.10')).logout();
    expect(await server.kiroku.must('lockout', 'list')).toContain('127.0.0.9');
    await server.kiroku.must('lockout', 'release', '127.0.0.9');
    const back = await safely('127.0.0.9');
    expect(await back.end(login('plain'))).toMatch(/^OK /);
    await back.logout();
    await server.kiroku.must('settings', 'reset', 'allowIps', 'lockoutFailures');
  });
});

describe('an open session', () => {
  server.it('ends when its account is deleted, while it idles or with its next command', async () => {
    const client = await imapOf(server, 'gone');
    await put(client, 'INBOX', note('last'));
    await client.ok('SELECT INBOX');
    const { client: idler } = await idling('gone');
    await server.kiroku.must('account', 'delete', addressOf('gone'));
    await hears(idler, '* BYE The mailbox has been deleted');
    expect((await client.ask('FETCH 1 BODY[]')).lines).toEqual(['* BYE The mailbox has been deleted']);
    expect(await client.socket.readToEnd()).toBe('');
    const again = await safely();
    expect(await again.end(login('gone'))).toBe(WRONG);
    await again.logout();
  });

  server.it('is told in the history from its opening to its end, without what was said in confidence', async () => {
    const client = await imapOf(server, 'plain');
    await client.ok('SELECT INBOX');
    expect(await client.end('SELECT "no such"')).toMatch(/^NO \[NONEXISTENT\]/);
    await client.logout();
    const session = await until('the session is in the history', 10 * SECOND, async () => {
      const rows = await query<{ entries: string }>(server, `SELECT entries FROM history.session WHERE entries LIKE '%NONEXISTENT%'`);
      const entries = rows.flatMap((row) => JSON.parse(row.entries) as { readonly k: string; readonly e: { readonly data: { readonly rule?: string; readonly verb?: string } } }[]);
      return entries.find(({ e: { data } }) => data.rule === 'NONEXISTENT' && data.verb === 'SELECT')?.k; // a session in a mailbox that was deleted says it too
    });
    const story = await server.kiroku.must('story', session, '--json', '--wait', '10000');
    const { events } = JSON.parse(story) as { events: { type: string; data: object }[] };
    expect(events.map(({ type }) => type)).toEqual(['SessionOpened', 'LoginSucceeded', 'CommandRefused', 'SessionClosed']);
    expect(events.map(({ data }) => data)).toEqual([
      expect.objectContaining({ protocol: 'imap', listener: 'imaps', tls: expect.anything() }),
      expect.objectContaining({ protocol: 'imap', login: addressOf('plain'), mechanism: 'LOGIN' }),
      expect.objectContaining({ protocol: 'imap', verb: 'SELECT', rule: 'NONEXISTENT' }),
      expect.objectContaining({ protocol: 'imap', reason: 'logout', commands: 4 }),
    ]);
    expect(story).not.toContain(PASSWORD);
  });
});

/** Why logins of this user failed. */
async function rulesOf(user: string): Promise<string[]> {
  const rows = await query<{ entries: string }>(server, `SELECT entries FROM history.session WHERE entries LIKE '%LoginFailed%'`);
  return rows.flatMap(({ entries }) => [...entries.matchAll(/"login":"([^"]*)","rule":"([^"]*)"/g)].flatMap(([, login, rule]) => (login === addressOf(user) && rule !== undefined ? [rule] : [])));
}
