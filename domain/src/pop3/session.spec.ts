import { describe, expect, it } from '@jest/globals';
import type { Command, Verb } from './grammar.js';
import { Listing } from './listing.js';
import { snapshotOf } from './maildrop.js';
import { BEGIN, enter, finish, type Offer, type Phase, secured, type Session, step } from './session.js';

const mode = { language: 'en', utf8: false } as const;
const listing = () =>
  new Listing(77, snapshotOf([{ uid: 3, size: 100 }, { uid: 8, size: 20 }, { uid: 9, size: 3 }]));
const phases = (): Record<Phase, Session> => ({
  authorization: BEGIN,
  named: { phase: 'named', user: 'ann', ...mode },
  transaction: { phase: 'transaction', listing: listing(), ...mode },
  update: { phase: 'update', ...mode },
  closed: { phase: 'closed', ...mode },
});
const commands: { readonly [V in Verb]: Extract<Command, { verb: V }> } = {
  CAPA: { verb: 'CAPA' },
  STLS: { verb: 'STLS' },
  UTF8: { verb: 'UTF8' },
  STAT: { verb: 'STAT' },
  NOOP: { verb: 'NOOP' },
  RSET: { verb: 'RSET' },
  QUIT: { verb: 'QUIT' },
  USER: { verb: 'USER', user: 'ann' },
  PASS: { verb: 'PASS', password: 'pencil' },
  APOP: { verb: 'APOP', user: 'ann', digest: '0'.repeat(32) },
  AUTH: { verb: 'AUTH', mechanism: 'CRAM-MD5' },
  LANG: { verb: 'LANG', range: 'ja' },
  LIST: { verb: 'LIST' },
  UIDL: { verb: 'UIDL' },
  RETR: { verb: 'RETR', message: 1 },
  DELE: { verb: 'DELE', message: 1 },
  TOP: { verb: 'TOP', message: 1, lines: 0 },
};
const plain: Offer = {
  stls: 'available',
  passwords: 'after-tls',
  mechanisms: ['SCRAM-SHA-256', 'CRAM-MD5'],
  mechanismsAfterTls: ['PLAIN', 'LOGIN'],
  implementation: undefined,
};
const tls: Offer = { ...plain, stls: 'active', passwords: 'yes', mechanisms: ['SCRAM-SHA-256', 'CRAM-MD5', 'PLAIN', 'LOGIN'], mechanismsAfterTls: [] };

const said = (session: Session, command: Command, offer = tls) => {
  const [next, outcome] = step(session, command, offer);
  return { phase: next.phase, ...outcome, ...('lines' in outcome && typeof outcome.lines === 'object' && { lines: [...outcome.lines] }) };
};
const reply = (name: string, ...args: unknown[]) => expect.objectContaining({ do: 'reply', reply: name, args });

/** RFC 1939, 2449, 2595, 5034, 6856: what leads where. What is not here is refused and changes nothing. */
const TABLE: Record<Phase, Partial<Record<Verb, [Phase, string]>>> = {
  authorization: {
    CAPA: ['authorization', 'lines'],
    LANG: ['authorization', 'reply'],
    USER: ['named', 'reply'],
    APOP: ['authorization', 'apop'],
    AUTH: ['authorization', 'sasl'],
    STLS: ['authorization', 'reply'],
    UTF8: ['authorization', 'reply'],
    QUIT: ['closed', 'reply'],
  },
  named: {
    CAPA: ['named', 'lines'],
    LANG: ['named', 'reply'],
    USER: ['named', 'reply'],
    PASS: ['authorization', 'login'],
    QUIT: ['closed', 'reply'],
  },
  transaction: {
    CAPA: ['transaction', 'lines'],
    LANG: ['transaction', 'reply'],
    STAT: ['transaction', 'reply'],
    LIST: ['transaction', 'lines'],
    UIDL: ['transaction', 'lines'],
    RETR: ['transaction', 'send'],
    TOP: ['transaction', 'send'],
    DELE: ['transaction', 'reply'],
    RSET: ['transaction', 'reply'],
    NOOP: ['transaction', 'reply'],
    QUIT: ['closed', 'reply'],
  },
  update: {},
  closed: {},
};

describe('the table of phases and verbs', () => {
  const cells = (Object.keys(TABLE) as Phase[]).flatMap((phase) => (Object.keys(commands) as Verb[]).map((verb) => [phase, verb] as const));

  it.each(cells)('in phase %s, %s does what the RFCs say', (phase, verb) => {
    const before = phases()[phase];
    const [session, outcome] = step(before, commands[verb], tls);
    const expected = TABLE[phase][verb];
    if (expected) expect([session.phase, outcome.do]).toEqual(expected);
    else {
      expect(session).toBe(before);
      expect(outcome).toEqual({ do: 'reply', reply: 'out-of-order', args: [] });
    }
  });

  it.each(Object.keys(TABLE) as Phase[])('in phase %s, garbage changes nothing but a foreign protocol ends it', (phase) => {
    const before = phases()[phase];
    expect(step(before, { verb: '', problem: 'unknown-command' }, tls)).toEqual([before, expect.objectContaining({ reply: 'unknown-command' })]);
    expect(step(before, { verb: 'TOP', problem: 'syntax' }, tls)).toEqual([before, expect.objectContaining({ reply: 'syntax' })]);
    expect(step(before, { verb: '', problem: 'not-pop3' }, tls)[0].phase).toBe('closed');
  });
});

describe('a login', () => {
  it('by password waits for TLS, already at USER', () => {
    expect(said(BEGIN, commands.USER, plain)).toEqual(reply('tls-required'));
    expect(said(BEGIN, { verb: 'AUTH', mechanism: 'PLAIN' }, plain)).toEqual(reply('tls-required'));
    expect(said(BEGIN, commands.AUTH, plain)).toMatchObject({ do: 'sasl', mechanism: 'CRAM-MD5' });
  });

  it('is not offered where only APOP is', () => {
    const apopOnly: Offer = { ...plain, passwords: 'no', mechanisms: [], mechanismsAfterTls: [] };
    expect(said(BEGIN, commands.USER, apopOnly)).toEqual(reply('method-off'));
    expect(said(BEGIN, commands.AUTH, apopOnly)).toEqual(reply('method-off'));
    expect(said(BEGIN, commands.APOP, apopOnly)).toMatchObject({ do: 'apop' });
  });

  it('by an unknown mechanism is refused', () => {
    expect(said(BEGIN, { verb: 'AUTH', mechanism: 'GSSAPI' })).toEqual(reply('method-off'));
  });

  it('begins again at USER when PASS was wrong', () => {
    const [session, outcome] = step(phases().named, commands.PASS, tls);
    expect(outcome).toEqual({ do: 'login', user: 'ann', password: 'pencil' });
    expect(said(session, commands.PASS)).toEqual(reply('out-of-order'));
  });

  it('opens the transaction and keeps language and UTF-8 mode', () => {
    const [session, outcome] = enter({ ...BEGIN, language: 'ja', utf8: true }, 77, snapshotOf([{ uid: 1, size: 5 }]));
    expect(session).toMatchObject({ phase: 'transaction', language: 'ja', utf8: true });
    expect(outcome).toEqual(reply('logged-in', 1, 5));
  });
});

describe('CAPA', () => {
  const capa = (session: Session, offer: Offer) => said(session, commands.CAPA, offer).lines;

  it('shows neither USER nor PLAIN nor LOGIN before TLS', () => {
    expect(capa(BEGIN, plain)).toEqual([
      ...['TOP', 'UIDL', 'RESP-CODES', 'AUTH-RESP-CODE', 'PIPELINING', 'EXPIRE NEVER', 'UTF8 USER', 'LANG'],
      ...['SASL SCRAM-SHA-256 CRAM-MD5', 'STLS'],
    ]);
  });

  it('shows them under TLS, and STLS no more', () => {
    expect(capa(BEGIN, tls)).toEqual(expect.arrayContaining(['USER', 'SASL SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN']));
    expect(capa(BEGIN, tls)).not.toContain('STLS');
  });

  it('shows no STLS after login, where it is not allowed', () => expect(capa(phases().transaction, plain)).not.toContain('STLS'));

  it('names the product only where that is wanted', () =>
    expect(capa(BEGIN, { ...tls, implementation: 'Kiroku-1' })).toContain('IMPLEMENTATION Kiroku-1'));
});

describe('STLS', () => {
  it('is for the authorization state without TLS only', () => {
    expect(said(BEGIN, commands.STLS, plain)).toMatchObject({ do: 'start-tls' });
    expect(said(BEGIN, commands.STLS, tls)).toEqual(reply('tls-active'));
    expect(said(BEGIN, commands.STLS, { ...plain, stls: 'unavailable' })).toEqual(reply('tls-unavailable'));
  });

  it('forgets all that was said before', () => expect(secured()).toEqual({ phase: 'authorization', language: 'en', utf8: false }));
});

describe('LANG', () => {
  it('lists the languages, each in itself', () => expect(said(BEGIN, { verb: 'LANG' }).lines).toEqual(['en English', 'ja 日本語']));

  it('changes the language of what follows', () => {
    const [session, outcome] = step(BEGIN, { verb: 'LANG', range: 'ja-JP' }, tls);
    expect([session.language, outcome]).toEqual(['ja', reply('language', 'ja')]);
    expect(step(session, { verb: 'LANG', range: '*' }, tls)[0].language).toBe('en');
  });

  it('refuses a language that is not there and stays', () => {
    const ja = { ...BEGIN, language: 'ja' } as const;
    expect(step(ja, { verb: 'LANG', range: 'fr' }, tls)).toEqual([ja, reply('unknown-language')]);
  });
});

describe('an open maildrop', () => {
  const open = () => phases().transaction;

  it('has numbers, sizes and unique ids', () => {
    const session = open();
    expect(said(session, commands.STAT)).toEqual(reply('stat', 3, 123));
    expect(said(session, commands.LIST)).toMatchObject({ reply: 'listing', args: [3, 123], lines: ['1 100', '2 20', '3 3'] });
    expect(said(session, { verb: 'LIST', message: 2 })).toEqual(reply('one', 2, 20));
    expect(said(session, commands.UIDL)).toMatchObject({ lines: ['1 77.3', '2 77.8', '3 77.9'] });
    expect(said(session, { verb: 'UIDL', message: 3 })).toEqual(reply('one', 3, '77.9'));
    expect(said(session, { verb: 'TOP', message: 2, lines: 4 })).toMatchObject({ do: 'send', uid: 8, size: 20, lines: 4 });
    expect(said(session, { verb: 'RETR', message: 2 })).toMatchObject({ do: 'send', uid: 8, size: 20, lines: undefined });
  });

  it.each([0, 4, 4_294_967_296, 9_999_999_999])('has no message %d', (message) => {
    for (const verb of ['LIST', 'UIDL', 'RETR', 'DELE'] as const) expect(said(open(), { verb, message })).toEqual(reply('no-such-message'));
    expect(said(open(), { verb: 'TOP', message, lines: 0 })).toEqual(reply('no-such-message'));
  });

  it('keeps its numbers when a message is marked, and shows that message no more', () => {
    const session = open();
    expect(said(session, { verb: 'DELE', message: 2 })).toEqual(reply('deleted', 2));
    expect(said(session, commands.STAT)).toEqual(reply('stat', 2, 103));
    expect(said(session, commands.LIST)).toMatchObject({ lines: ['1 100', '3 3'] });
    expect(said(session, commands.UIDL)).toMatchObject({ lines: ['1 77.3', '3 77.9'] });
    for (const verb of ['LIST', 'UIDL', 'RETR', 'DELE'] as const) expect(said(session, { verb, message: 2 })).toEqual(reply('already-deleted'));
    expect(said(session, commands.RSET)).toEqual(reply('reset', 3, 123));
    expect(said(session, { verb: 'LIST', message: 2 })).toEqual(reply('one', 2, 20));
  });

  it('gives up what is marked at QUIT, and only then', () => {
    const session = open();
    step(session, { verb: 'DELE', message: 3 }, tls);
    step(session, { verb: 'DELE', message: 1 }, tls);
    expect(said(session, commands.QUIT)).toEqual({ phase: 'update', do: 'remove', uids: [3, 9] });
    expect(finish(phases().update, true)).toEqual([expect.objectContaining({ phase: 'closed' }), reply('bye')]);
    expect(finish(phases().update, false)).toEqual([expect.objectContaining({ phase: 'closed' }), reply('not-removed')]);
  });

  it('of 100,000 messages is marked and unmarked without being copied', () => {
    const many = new Listing(1, snapshotOf(Array.from({ length: 100_000 }, (_, i) => ({ uid: i + 1, size: 10 }))));
    for (let message = 1; message <= 100_000; message++) many.mark(message);
    expect([many.count, many.octets, many.marked().length, [...many.scan()].length]).toEqual([0, 0, 100_000, 0]);
    many.reset();
    expect([many.count, many.octets]).toEqual([100_000, 1_000_000]);
  });
});
