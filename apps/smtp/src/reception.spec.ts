import { describe, expect, it } from '@jest/globals';
import { forward } from '@kiroku/domain/srs/srs.js';
import { Client } from './testing/client.js';
import { NOON, World } from './testing/world.js';

const BODY = 'Message-ID: <1@far.test>\r\nSubject: hello\r\n\r\nhello\r\n';
const FROM = 'carl@far.test';
const hops = (n: number): string => `${'Received: from a by b\r\n'.repeat(n)}Subject: round\r\n\r\n`;

describe('a message for one of ours', () => {
  it('is kept as it came, with an event that says all about it', async () => {
    const world = new World();
    const client = await Client.hello(world);
    await client.say('MAIL FROM:<carl@far.test> SIZE=60 BODY=8BITMIME RET=HDRS ENVID=E1');
    await client.say('RCPT TO:<Ann@x.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;ann@x.test');
    const start = await client.say('DATA');
    const end = await client.say(`${BODY}.`);
    const id = /<(\w{15})>/.exec(start)?.[1] ?? '';
    expect(start).toBe(`354 Start mail input; id <${id}>; end with <CRLF>.<CRLF>`);
    expect(end).toBe(`250 2.0.0 Message accepted; id <${id}>`);
    const [message] = world.accepted;
    expect(message).toEqual({
      messageId: id,
      session: client.connection.id,
      listener: 'mx',
      peer: { ip: '192.0.2.7', port: 40_000, helo: 'client.test' },
      protocol: 'ESMTP',
      sender: FROM,
      recipients: [{ address: 'Ann@x.test', notify: ['SUCCESS', 'DELAY'], orcpt: 'rfc822;ann@x.test' }],
      body: '8BITMIME',
      smtputf8: false,
      requireTls: false,
      ret: 'HDRS',
      envid: 'E1',
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      size: BODY.length,
      at: 'memory',
      trace: `Received: from client.test ([192.0.2.7]) by mx.x.test with ESMTP id\r\n    ${id} for <Ann@x.test>; Mon, 2 Mar 2026 12:00:00 +0900\r\n`,
      headerMessageId: '1@far.test',
      hops: 0,
      reply: end,
    });
    expect(world.bodyOf(message!)).toBe(BODY);
    expect(world.appended[0]).toMatchObject({ type: 'MessageAccepted', actor: `session:${client.connection.id}`, correlation: id, version: 1 });
  });

  it('is followed by the next on the same connection', async () => {
    const world = new World();
    const client = await Client.hello(world);
    const ids = [];
    for (let i = 0; i < 3; i++) {
      expect(await client.mail(FROM, 'ann@x.test', `${BODY}${i}\r\n`)).toMatch(/^250 2\.0\.0/);
      ids.push(world.accepted[i]?.messageId);
    }
    expect(new Set(ids).size).toBe(3);
    expect(world.bodies.open).toBe(0);
  });

  it('names no recipient in Received when there are several', async () => {
    const world = new World();
    const client = await Client.hello(world);
    await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'RCPT TO:<bob@x.test>', 'DATA');
    await client.say('Subject: a\r\n.');
    expect(world.accepted[0]?.trace).not.toMatch(/ for /);
    expect(world.accepted[0]?.recipients.map(({ address }) => address)).toEqual(['ann@x.test', 'bob@x.test']);
  });

  it('gets nothing added, whatever it lacks', async () => {
    const world = new World();
    await (await Client.hello(world)).mail(FROM, 'ann@x.test', 'Subject: a\r\n\r\n');
    expect(world.accepted[0]?.trace).not.toMatch(/Date:|Message-ID:|From:/);
    expect(world.accepted[0]).not.toHaveProperty('headerMessageId');
  });

  it.each([
    ['no header at all', 'hello\r\n', true],
    ['nothing', '', true],
    ['an empty header', '\r\nhello\r\n', false],
    ['a header', 'Subject: a\r\n', false],
  ])('that has %s is kept apart from our trace where needed', async (_, body, apart) => {
    const world = new World();
    await (await Client.hello(world)).mail(FROM, 'ann@x.test', body);
    expect(world.accepted[0]?.trace.endsWith('\r\n\r\n')).toBe(apart);
  });

  it('may come from nobody: the null sender', async () => {
    const world = new World();
    expect(await (await Client.hello(world)).mail('', 'ann@x.test', BODY)).toMatch(/^250/);
    expect(world.accepted[0]?.sender).toBe('');
  });

  it('is marked 8-bit when it is, also when nobody said so', async () => {
    const world = new World();
    await (await Client.hello(world)).mail(FROM, 'ann@x.test', 'Subject: a\r\n\r\nh\xe9llo\r\n');
    expect(world.accepted[0]?.body).toBe('8BITMIME');
  });

  it.each([
    ['HELO old.test', '', 'SMTP'],
    ['EHLO new.test', '', 'ESMTP'],
    ['EHLO new.test', ' SMTPUTF8', 'UTF8SMTP'],
  ])('over %s%s came with %s', async (hello, parameter, protocol) => {
    const world = new World();
    const client = new Client(world);
    await client.pipeline(hello, `MAIL FROM:<${FROM}>${parameter}`, 'RCPT TO:<ann@x.test>', 'DATA');
    await client.say('Subject: a\r\n.');
    expect(world.accepted[0]?.protocol).toBe(protocol);
  });

  it('came over TLS if it did', async () => {
    const world = new World();
    const client = await Client.hello(world);
    await client.pipeline('STARTTLS');
    await client.pipeline('EHLO client.test');
    await client.pipeline(`MAIL FROM:<${FROM}> REQUIRETLS`, 'RCPT TO:<ann@x.test>', 'DATA');
    await client.say('Subject: a\r\n.');
    expect(world.accepted[0]).toMatchObject({ protocol: 'ESMTPS', requireTls: true, tls: { version: 'TLSv1.3' } });
    expect(world.accepted[0]?.trace).toContain('(TLSv1.3,\r\n    TLS_AES_256_GCM_SHA384)');
  });

  it('may have been delivered before: that is written down, and refused to nobody', async () => {
    const world = new World();
    const before = 'Delivered-To: Ann@X.test\r\nDelivered-To:\r\n <all@x.test>\r\nDelivered-To: ann@x.test\r\nDelivered-To: nonsense\r\n';
    expect(await (await Client.hello(world)).mail(FROM, 'ann@x.test', `${before}Subject: again\r\n\r\nDelivered-To: bob@x.test\r\n`)).toMatch(/^250/);
    expect(world.accepted[0]?.deliveredTo).toEqual(['ann@x.test', 'all@x.test']);
  });

  it('may be a mailing, which delivery goes by', async () => {
    const world = new World();
    await (await Client.hello(world)).mail(FROM, 'ann@x.test', 'Precedence: Bulk\r\nSubject: news\r\n\r\nhello\r\n');
    await (await Client.hello(world)).mail(FROM, 'ann@x.test', 'Subject: letter\r\n\r\nPrecedence: bulk\r\n');
    expect(world.accepted.map(({ bulk }) => bulk)).toEqual([true, undefined]);
  });

  it('may not ask for TLS, unless it does', async () => {
    const world = new World();
    const optional = 'TLS-Required: No\r\nSubject: news\r\n\r\nhello\r\n';
    await (await Client.hello(world)).mail(FROM, 'ann@x.test', optional);
    await (await Client.hello(world)).mail(FROM, 'ann@x.test', 'Subject: letter\r\n\r\nhello\r\n');
    expect(world.accepted.map(({ tlsOptional }) => tlsOptional)).toEqual([true, undefined]);
  });

  it('passed as many servers as its header says', async () => {
    const world = new World({ hops: 3 });
    const client = await Client.hello(world);
    expect(await client.mail(FROM, 'ann@x.test', hops(3))).toMatch(/^250/);
    expect(world.accepted[0]?.hops).toBe(3);
    expect(await client.mail(FROM, 'ann@x.test', hops(4))).toBe('554 5.4.6 Too many hops: mail loop');
  });
});

describe('a message that cannot be taken', () => {
  it.each([
    ['bare LF', 'a\nb\r\n', '550 5.6.11', 'bare-lf'],
    ['bare CR', 'a\rb\r\n', '550 5.6.11', 'bare-cr'],
    ['NUL', 'a\0b\r\n', '550 5.6.0', 'nul-in-text'],
    ['a line without end', `${'a'.repeat(70_000)}\r\n`, '550 5.6.0', 'text-line-too-long'],
    ['too many bytes', `${'a'.repeat(98)}\r\n`.repeat(11), '552 5.3.4', 'message-too-big'],
  ])('for its %s is refused at its true end, and leaves nothing but the fact', async (_, body, code, rule) => {
    const world = new World({ messageSize: rule === 'message-too-big' ? 1000 : 1_000_000 });
    const client = await Client.hello(world);
    expect(await client.mail(FROM, 'ann@x.test', body)).toMatch(new RegExp(`^${code.replaceAll('.', '\\.')} `));
    expect(await client.say('NOOP')).toBe('250 2.0.0 Ok');
    await client.leave();
    expect(world.bodies).toMatchObject({ open: 0, kept: new Map() });
    expect(world.appended).toHaveLength(1);
    expect(world.refused[0]).toMatchObject({ rule, phase: 'DATA', sender: FROM, recipients: ['ann@x.test'], size: body.length + 3 });
  });

  it('of the limit exactly is taken', async () => {
    const world = new World({ messageSize: 1000 });
    const client = await Client.hello(world);
    expect(await client.mail(FROM, 'ann@x.test', `${'a'.repeat(98)}\r\n`.repeat(10))).toMatch(/^250/);
  });

  it('that goes on far beyond the limit ends the connection', async () => {
    const world = new World({ messageSize: 1000 });
    const client = await Client.hello(world);
    await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'DATA');
    client.connection.send('Subject: a\r\n'.repeat(10_000));
    expect((await client.heard()).at(-1)).toMatch(/^421 4\.3\.4/);
    await client.served;
    expect(world.bodies.open).toBe(0);
  });

  it('announced too big is refused at MAIL', async () => {
    const world = new World({ messageSize: 1000 });
    const client = await Client.hello(world);
    expect(await client.say(`MAIL FROM:<${FROM}> SIZE=1001`)).toBe('552 5.3.4 Message too big');
    expect(await client.say(`MAIL FROM:<${FROM}> SIZE=1000`)).toMatch(/^250/);
    await client.leave();
    expect(world.refused[0]).toMatchObject({ phase: 'MAIL', rule: 'message-too-big', detail: 'announced 1001', recipients: [] });
  });
});

describe('when something behind us fails', () => {
  it('a full disk is 452, and the same client may try again', async () => {
    const world = new World();
    world.bodies.full = true;
    const client = await Client.hello(world);
    expect(await client.mail(FROM, 'ann@x.test', BODY)).toBe('452 4.3.1 Insufficient system storage');
    world.bodies.full = false;
    expect(await client.mail(FROM, 'ann@x.test', BODY)).toMatch(/^250/);
    await client.leave();
    expect(world.refused[0]).toMatchObject({ rule: 'store-unavailable', phase: 'DATA' });
  });

  it('a log that did not take the event is 451, never 250', async () => {
    const world = new World();
    world.logFails = true;
    const client = await Client.hello(world);
    expect(await client.mail(FROM, 'ann@x.test', BODY)).toBe('451 4.3.0 Temporary failure, try again later');
    await client.leave();
    expect(world.server.droppedFacts).toBe(1);
    expect(world.troubles).toEqual(['Error: the log is away']);
  });

  it('a directory that cannot answer is 451, and says no to nobody', async () => {
    const world = new World();
    const client = await Client.hello(world);
    world.directory.broken = true;
    expect(await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<nobody@x.test>')).toEqual(['250 2.1.0', '451 4.3.0']);
    world.directory.broken = false;
    expect(await client.say('RCPT TO:<ann@x.test>')).toMatch(/^250/);
    await client.leave();
    expect(world.appended.map(({ type, data }) => [type, (data as { rule: string }).rule])).toEqual([
      ['RecipientRefused', 'temporary-failure'],
      ['MessageRefused', 'client-gave-up'],
    ]);
    expect(world.troubles).toEqual(['Error: the views are away']);
  });

  it('a policy that cannot answer is 421 at once', async () => {
    const world = new World();
    world.admission.broken = true;
    const client = new Client(world);
    expect(await client.heard()).toEqual(['421 4.3.0 machine.test Service not available now']);
  });
});

describe('a client that leaves', () => {
  it('before the final dot has sent nothing', async () => {
    const world = new World();
    const client = await Client.hello(world);
    await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'DATA');
    client.connection.send('Subject: half\r\n\r\nhalf\r\n.\r');
    await client.leave();
    expect(world.accepted).toEqual([]);
    expect(world.bodies.open).toBe(0);
    expect(world.refused[0]).toMatchObject({ phase: 'disconnect', rule: 'client-gave-up', reply: '', size: 25 });
  });

  it('or goes silent or breaks the connection, likewise', async () => {
    for (const reason of ['idle', 'gone', 'shutdown'] as const) {
      const world = new World();
      const client = await Client.hello(world);
      await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'DATA');
      client.connection.fail(reason);
      await expect(client.served).rejects.toMatchObject({ reason });
      await world.server.settled();
      expect(world.accepted).toEqual([]);
      expect(world.bodies.open).toBe(0);
      expect(world.noted('SessionClosed')).toMatchObject([{ reason }]);
    }
  });

  it('after it has sent all still has its message kept', async () => {
    const world = new World();
    const client = await Client.hello(world);
    client.connection.send(`MAIL FROM:<${FROM}>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\n${BODY}.\r\n`);
    client.connection.end();
    await client.served;
    expect(world.accepted).toHaveLength(1);
  });

  it.each([
    ['RSET', '250 2.0.0'],
    ['EHLO again.test', '250'],
    ['QUIT', '221 2.0.0'],
  ])('a transaction by %s leaves the fact of it', async (line, code) => {
    const world = new World();
    const client = await Client.hello(world);
    await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<nobody@x.test>', 'RCPT TO:<ann@x.test>');
    expect(await client.pipeline(line)).toEqual([code]);
    await client.leave();
    expect(world.appended.map(({ type }) => type)).toEqual(['RecipientRefused', 'MessageRefused']);
    expect(world.refused[0]).toMatchObject({ phase: line.split(' ')[0], rule: 'client-gave-up', recipients: ['ann@x.test'] });
  });
});

describe('recipients', () => {
  it.each([
    ['ann@x.test', '250 2.1.5'],
    ['sales@x.test', '250 2.1.5'],
    ['postmaster', '250 2.1.5'],
    ['nobody@x.test', '550 5.1.1'],
    ['full@x.test', '450 4.2.2'],
    ['gone@x.test', '550 5.2.1'],
    ['ann@off.test', '550 5.2.1'],
    ['ann@far.test', '550 5.7.1'],
    ['ann@[127.0.0.1]', '550 5.1.2'],
  ])('%s: %s', async (address, code) => {
    const client = await Client.hello(new World());
    expect(await client.pipeline(`MAIL FROM:<${FROM}>`, `RCPT TO:<${address}>`)).toEqual(['250 2.1.0', code]);
  });

  it('refused stand before the acceptance in the story of the message', async () => {
    const world = new World();
    const client = await Client.hello(world);
    await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<nobody@x.test>', 'RCPT TO:<ann@x.test>', 'DATA');
    await client.say('Subject: a\r\n.');
    expect(world.appended.map(({ type, correlation }) => [type, correlation])).toEqual([
      ['RecipientRefused', world.accepted[0]?.messageId],
      ['MessageAccepted', world.accepted[0]?.messageId],
    ]);
    expect(world.appended[0]?.data).toMatchObject({ address: 'nobody@x.test', rule: 'unknown-recipient', reply: '550 5.1.1 No such mailbox here' });
  });

  it('are as many as the settings say', async () => {
    const client = await Client.hello(new World({ recipientsPerMessage: 2 }));
    const codes = await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'RCPT TO:<bob@x.test>', 'RCPT TO:<sales@x.test>');
    expect(codes).toEqual(['250 2.1.0', '250 2.1.5', '250 2.1.5', '452 4.5.3']);
  });

  it('can be guessed a thousand times in a transaction, and no more', async () => {
    const world = new World();
    const client = await Client.hello(world);
    await client.say(`MAIL FROM:<${FROM}>`);
    const guesses = await client.pipeline(...Array.from({ length: 1001 }, (_, n) => `RCPT TO:<guess${n}@x.test>`));
    expect(guesses.slice(-2)).toEqual(['550 5.1.1', '452 4.5.3']);
    expect(world.directory.lookups).toBe(1000);
  });

  it('postmaster goes to the default domain, if there is one', async () => {
    const world = new World();
    await (await Client.hello(world)).mail(FROM, 'Postmaster', BODY);
    expect(world.accepted[0]?.recipients).toEqual([{ address: 'Postmaster@x.test' }]);
    const none = await Client.hello(new World({ defaultDomain: '' }));
    expect(await none.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<postmaster>')).toEqual(['250 2.1.0', '550 5.1.1']);
  });

  it('elsewhere are for trusted addresses and those who log in', async () => {
    const lines = ['MAIL FROM:<ann@x.test>', 'RCPT TO:<carl@far.test>'];
    expect(await (await Client.hello(new World())).pipeline(...lines)).toEqual(['250 2.1.0', '550 5.7.1']);
    expect(await (await Client.hello(new World({ trustedIps: ['192.0.2.0/24'] }))).pipeline(...lines)).toEqual(['250 2.1.0', '250 2.1.5']);
    expect(await (await Client.login(new World())).pipeline(...lines)).toEqual(['250 2.1.0', '250 2.1.5']);
  });
});

describe('a relay domain', () => {
  const RCPT = 'RCPT TO:<dora@relay.test>';

  it('takes mail from strangers for recipients that its gateway knows', async () => {
    const world = new World();
    expect(await (await Client.hello(world)).mail(FROM, 'dora@relay.test', BODY)).toMatch(/^250/);
    expect(world.accepted[0]?.recipients).toEqual([{ address: 'dora@relay.test' }]);
    expect(world.outward.asked).toEqual(['dora@relay.test']);
  });

  it.each([
    ['no', '550 5.1.1 No such mailbox here', 'unknown-recipient'],
    ['temporary', '450 4.1.1 Recipient cannot be verified now, try again later', 'recipient-unverified'],
  ] as const)('whose gateway says %s: %s', async (verdict, answer, rule) => {
    const world = new World();
    world.outward.verdict = verdict;
    const client = await Client.hello(world);
    await client.say(`MAIL FROM:<${FROM}>`);
    expect(await client.say(RCPT)).toBe(answer);
    await client.leave();
    expect(world.appended[0]).toMatchObject({ type: 'RecipientRefused', data: { address: 'dora@relay.test', rule, reply: answer } });
  });

  it('that cannot be read is 451, and the client may try again', async () => {
    const world = new World();
    world.outward.broken = true;
    const client = await Client.hello(world);
    expect(await client.pipeline(`MAIL FROM:<${FROM}>`, RCPT)).toEqual(['250 2.1.0', '451 4.3.0']);
    world.outward.broken = false;
    expect(await client.pipeline(RCPT)).toEqual(['250 2.1.5']);
  });

  it('keeps nobody who logged in waiting for a gateway that is away, and tells them of wrong addresses', async () => {
    const world = new World();
    world.outward.verdict = 'temporary';
    const client = await Client.login(world);
    expect(await client.pipeline('MAIL FROM:<ann@x.test>', RCPT)).toEqual(['250 2.1.0', '250 2.1.5']);
    world.outward.verdict = 'no';
    expect(await client.pipeline(RCPT)).toEqual(['550 5.1.1']);
  });

  it('costs our own recipients nothing', async () => {
    const world = new World({ queueLimit: 1 });
    const client = await Client.hello(world);
    await client.pipeline(`MAIL FROM:<${FROM}>`, 'RCPT TO:<ann@x.test>', 'RCPT TO:<bob@x.test>', 'RCPT TO:<nobody@x.test>');
    expect(world.directory.lookups).toBe(3);
    expect(world.outward).toMatchObject({ asked: [], counts: 0 });
  });
});

describe('an address that this server made for somebody whose mail it sent on', () => {
  const made = (world: World): string => forward('carl@far.test', 'x.test', NOON, world.srs) ?? '';

  it('takes reports from anyone, also where its case was changed', async () => {
    for (const change of [(text: string) => text, (text: string) => text.toLowerCase()]) {
      const world = new World();
      const to = change(made(world));
      expect(await (await Client.hello(world)).mail('', to, BODY)).toMatch(/^250/);
      expect(world.accepted[0]).toMatchObject({ sender: '', recipients: [{ address: to }] });
    }
  });

  it('takes nothing else: it is no way to write to strangers through us', async () => {
    const world = new World();
    const client = await Client.hello(world);
    expect(await client.pipeline('MAIL FROM:<dora@far.test>', `RCPT TO:<${made(world)}>`)).toEqual(['250 2.1.0', '550 5.1.1']);
  });

  it('is unknown when somebody made it up, or when three weeks are over', async () => {
    const world = new World();
    const client = await Client.hello(world);
    const guessed = made(world).replace(/=[^=]{6}=/, '=AAAAAA=');
    expect(await client.pipeline('MAIL FROM:<>', `RCPT TO:<${guessed}>`, `RCPT TO:<${made(world)}>`)).toEqual(['250 2.1.0', '550 5.1.1', '250 2.1.5']);
    const to = made(world);
    world.clock.advance(22 * 86_400_000);
    expect(await client.pipeline(`RCPT TO:<${to}>`)).toEqual(['550 5.1.1']);
  });

  it('is not told to those who ask by EXPN', async () => {
    const world = new World({ vrfy: true });
    const client = await Client.login(world);
    expect(await client.pipeline(`EXPN ${made(world)}`, `VRFY ${made(world)}`)).toEqual(['550 5.1.1', '550 5.1.1']);
  });
});

describe('when there is too much already', () => {
  it('of mail for other servers, no more of it is taken for now, and our own get theirs', async () => {
    const world = new World({ queueLimit: 100 });
    const client = await Client.login(world);
    world.outward.waiting = 100;
    await client.say('MAIL FROM:<ann@x.test>');
    expect(await client.say('RCPT TO:<carl@far.test>')).toBe('452 4.3.1 Too many recipients wait, try again later');
    expect(await client.pipeline('RCPT TO:<bob@x.test>', 'RCPT TO:<outside@x.test>')).toEqual(['250 2.1.5', '250 2.1.5']);
    world.outward.waiting = 99;
    expect(await client.pipeline('RCPT TO:<carl@far.test>')).toEqual(['250 2.1.5']);
  });

  it('on the disk, no message is begun, and the record says how much was left', async () => {
    const world = new World({ diskReserve: 1000 });
    world.free = Promise.resolve(999);
    const client = await Client.hello(world);
    expect(await client.say(`MAIL FROM:<${FROM}>`)).toBe('452 4.3.1 Insufficient system storage');
    world.free = 1000;
    expect(await client.mail(FROM, 'ann@x.test', BODY)).toMatch(/^250/);
    await client.leave();
    expect(world.refused[0]).toMatchObject({ phase: 'MAIL', rule: 'disk-low', detail: '999 bytes free' });
  });

  it('on the disk for the announced size, likewise', async () => {
    const world = new World({ diskReserve: 1000 });
    world.free = 1500;
    const client = await Client.hello(world);
    expect(await client.pipeline(`MAIL FROM:<${FROM}> SIZE=501`, `MAIL FROM:<${FROM}> SIZE=500`)).toEqual(['452 4.3.1', '250 2.1.0']);
  });

  it('does not matter where there are no limits', async () => {
    const world = new World({ diskReserve: 0, queueLimit: 0, trustedIps: ['192.0.2.7'] });
    world.free = 0;
    world.outward.waiting = 1e9;
    expect(await (await Client.hello(world)).mail(FROM, 'carl@far.test', BODY)).toMatch(/^250/);
  });

  it('is nothing that strangers hear of before they may send at all', async () => {
    const world = new World();
    world.free = 0;
    expect(await (await Client.hello(world, { listener: 'submission' })).pipeline(`MAIL FROM:<${FROM}>`)).toEqual(['530 5.7.0']);
  });
});
