import { describe, expect, it } from '@jest/globals';
import { Refusal } from '../kernel/decider.js';
import { type Command, parse, type Verb } from './grammar.js';
import { type Phase, type Rules, type Session, step, transactionOf, verbsIn } from './session.js';

const client = { helo: 'client.test', greeting: 'EHLO' } as const;
const mail = { id: 'Q1', sender: 'ann@x.test', size: 0, body: '7BIT', smtputf8: false, requireTls: false } as const;
const recipients = [{ address: 'bob@x.test' }];

const SESSIONS: { readonly [P in Phase]: Extract<Session, { phase: P }> } = {
  connected: { phase: 'connected' },
  greeted: { phase: 'greeted', client },
  mail: { phase: 'mail', client, mail },
  rcpt: { phase: 'rcpt', client, mail, recipients },
  chunks: { phase: 'chunks', client, mail, recipients },
  data: { phase: 'data', client, mail, recipients },
  closed: { phase: 'closed' },
};

const LINES: { readonly [V in Verb]: string } = {
  EHLO: 'EHLO other.test', HELO: 'HELO other.test', MAIL: 'MAIL FROM:<ann@x.test>', RCPT: 'RCPT TO:<carl@x.test>', DATA: 'DATA', BDAT: 'BDAT 10',
  RSET: 'RSET', NOOP: 'NOOP', VRFY: 'VRFY ann', EXPN: 'EXPN all', HELP: 'HELP', QUIT: 'QUIT', STARTTLS: 'STARTTLS', AUTH: 'AUTH PLAIN',
};

const command = (line: string): Command => {
  const parsed = parse(new TextEncoder().encode(line));
  if ('fault' in parsed) throw new Error(parsed.fault);
  return parsed;
};

const rules = (more: Partial<Rules> = {}): Rules => ({
  tls: 'available',
  queueId: () => 'Q1',
  sender: () => undefined,
  recipient: (_, { to }) => ({ address: to.text }),
  ...more,
});

/** Phase afterwards and reply or act, as `rcpt recipient-ok`. */
async function after(session: Session, line: string, more: Partial<Rules> = {}): Promise<string> {
  const { session: next, next: what } = await step(session, command(line), rules(more));
  return `${next.phase} ${'say' in what ? what.say : what.act}`;
}

/** RFC 5321 §4.1.4 with its extensions, whole: what is not here must be 503 and change nothing. */
const EXPECTED: { readonly [P in Phase]: { readonly [V in Verb]?: string } } = {
  connected: {
    EHLO: 'greeted hello', HELO: 'greeted hello', RSET: 'connected reset', NOOP: 'connected nothing-done', HELP: 'connected help',
    VRFY: 'connected verify', EXPN: 'connected expand', QUIT: 'closed close', STARTTLS: 'connected start-tls',
  },
  greeted: {
    EHLO: 'greeted hello', HELO: 'greeted hello', RSET: 'greeted reset', NOOP: 'greeted nothing-done', HELP: 'greeted help', VRFY: 'greeted verify',
    EXPN: 'greeted expand', QUIT: 'closed close', STARTTLS: 'connected start-tls', AUTH: 'greeted authenticate', MAIL: 'mail sender-ok',
  },
  mail: {
    EHLO: 'greeted hello', HELO: 'greeted hello', RSET: 'greeted reset', NOOP: 'mail nothing-done', HELP: 'mail help', VRFY: 'mail verify',
    EXPN: 'mail expand', QUIT: 'closed close', RCPT: 'rcpt recipient-ok',
  },
  rcpt: {
    EHLO: 'greeted hello', HELO: 'greeted hello', RSET: 'greeted reset', NOOP: 'rcpt nothing-done', HELP: 'rcpt help', VRFY: 'rcpt verify',
    EXPN: 'rcpt expand', QUIT: 'closed close', RCPT: 'rcpt recipient-ok', DATA: 'data read-data', BDAT: 'chunks read-chunk',
  },
  chunks: {
    EHLO: 'greeted hello', HELO: 'greeted hello', RSET: 'greeted reset', NOOP: 'chunks nothing-done', HELP: 'chunks help', VRFY: 'chunks verify',
    EXPN: 'chunks expand', QUIT: 'closed close', BDAT: 'chunks read-chunk',
  },
  data: {},
  closed: {},
};

const cells = (Object.keys(SESSIONS) as Phase[]).flatMap((phase) => (Object.keys(LINES) as Verb[]).map((verb) => [phase, verb] as const));

describe('a session', () => {
  it.each(cells)('in phase %s answers %s by the table', async (phase, verb) => {
    expect(await after(SESSIONS[phase], LINES[verb])).toBe(EXPECTED[phase][verb] ?? `${phase} out-of-order`);
  });

  it('has no cell that is not expected', () => {
    for (const phase of Object.keys(SESSIONS) as Phase[]) expect([...verbsIn(phase)].sort()).toEqual(Object.keys(EXPECTED[phase]).sort());
  });

  it('keeps the login over EHLO and forgets it with STARTTLS', async () => {
    const known: Session = { phase: 'greeted', client: { ...client, login: { account: 'a1', address: 'ann@x.test' } } };
    expect((await step(known, command('EHLO again.test'), rules())).session).toMatchObject({ client: { helo: 'again.test', login: { account: 'a1' } } });
    expect((await step(known, command('STARTTLS'), rules())).session).toEqual({ phase: 'connected' });
  });

  it('authenticates once', async () => {
    const known: Session = { phase: 'greeted', client: { ...client, login: { account: 'a1', address: 'ann@x.test' } } };
    expect(await after(known, 'AUTH PLAIN')).toBe('greeted authenticated-already');
  });

  it('starts TLS only where it is offered', async () => {
    expect(await after(SESSIONS.greeted, 'STARTTLS', { tls: 'active' })).toBe('greeted tls-active');
    expect(await after(SESSIONS.greeted, 'STARTTLS', { tls: 'unavailable' })).toBe('greeted not-offered');
  });

  it('takes REQUIRETLS only under TLS', async () => {
    expect(await after(SESSIONS.greeted, 'MAIL FROM:<a@x.test> REQUIRETLS')).toBe('greeted unknown-parameter');
    expect(await after(SESSIONS.greeted, 'MAIL FROM:<a@x.test> REQUIRETLS', { tls: 'active' })).toBe('mail sender-ok');
  });

  it('takes addresses beyond ASCII only with SMTPUTF8', async () => {
    expect(await after(SESSIONS.greeted, 'MAIL FROM:<用户@x.test>')).toBe('greeted utf8-not-requested');
    expect(await after(SESSIONS.greeted, 'MAIL FROM:<ann@例子.test> SMTPUTF8')).toBe('mail sender-ok');
    expect(await after(SESSIONS.mail, 'RCPT TO:<用户@x.test>')).toBe('mail utf8-not-requested');
    expect(await after({ ...SESSIONS.mail, mail: { ...mail, smtputf8: true } }, 'RCPT TO:<用户@x.test>')).toBe('rcpt recipient-ok');
  });

  it('sends binary text to BDAT', async () => {
    const binary = { ...SESSIONS.rcpt, mail: { ...mail, body: 'BINARYMIME' } } as const;
    expect(await after(binary, 'DATA')).toBe('rcpt binary-needs-bdat');
    expect(await after(binary, 'BDAT 10 LAST')).toBe('chunks read-chunk');
  });

  it('stays where it is when a rule refuses, at once or later', async () => {
    const no = new Refusal('relay-denied', 'far.test');
    const refuse = () => {
      throw no;
    };
    expect(await step(SESSIONS.mail, command('RCPT TO:<a@far.test>'), rules({ recipient: refuse }))).toEqual({
      session: SESSIONS.mail,
      next: { say: 'relay-denied', detail: 'far.test' },
    });
    expect(await after(SESSIONS.rcpt, 'RCPT TO:<a@far.test>', { recipient: () => Promise.reject(no) })).toBe('rcpt relay-denied');
    expect(await after(SESSIONS.greeted, 'MAIL FROM:<a@far.test>', { sender: () => Promise.reject(new Refusal('auth-required')) })).toBe('greeted auth-required');
  });

  it('does not take an outage for a refusal', async () => {
    const outage = () => Promise.reject(new Error('the views are away'));
    await expect(step(SESSIONS.mail, command('RCPT TO:<a@x.test>'), rules({ recipient: outage }))).rejects.toThrow('the views are away');
    await expect(async () => step(SESSIONS.greeted, command('MAIL FROM:<a@x.test>'), rules({ sender: () => { throw new Refusal('no-such-reason'); } }))).rejects.toThrow('no-such-reason');
  });

  it('knows its transaction from MAIL on', () => {
    expect((Object.keys(SESSIONS) as Phase[]).filter((phase) => transactionOf(SESSIONS[phase]))).toEqual(['mail', 'rcpt', 'chunks', 'data']);
  });
});
