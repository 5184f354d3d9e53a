import { describe, expect, it } from '@jest/globals';
import { Client, codeOf } from './testing/client.js';
import { World } from './testing/world.js';

const TLS = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };
const BOTH = 'AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN';
const keywords = async (client: Client): Promise<readonly string[]> => {
  client.connection.send('EHLO client.test\r\n');
  return (await client.heard()).map((line) => line.slice(4));
};
const greeted = async (world: World, ends = {}): Promise<Client> => {
  const client = new Client(world, ends);
  await client.heard();
  return client;
};

describe('the greeting', () => {
  it('names the server, and the product where the settings say so', async () => {
    expect(await new Client(new World()).heard()).toEqual(['220 mx.x.test ESMTP']);
    expect(await new Client(new World({ showVersion: true })).heard()).toEqual(['220 mx.x.test ESMTP Kiroku 0.1.0']);
    expect(await new Client(new World({ hostname: '' })).heard()).toEqual(['220 machine.test ESMTP']);
  });

  it.each([
    ['blocked', '554 5.7.1'],
    ['locked-out', '421 4.7.0'],
  ] as const)('is a refusal for an address that is %s', async (refused, code) => {
    const world = new World();
    world.admission.refused = refused;
    const client = new Client(world);
    expect((await client.heard()).map(codeOf)).toEqual([code]);
    await client.served;
    expect(world.noted('CommandRefused')).toMatchObject([{ verb: 'connect', rule: refused }]);
    expect(world.noted('SessionClosed')).toMatchObject([{ reason: refused, commands: 0 }]);
  });

  it('can be held back: who talks first on mx is refused', async () => {
    const world = new World({ greetingPause: 5000 });
    const client = new Client(world, {}, 'EHLO spam.test\r\n');
    expect((await client.heard()).map(codeOf)).toEqual(['554 5.5.1']);
    await client.served;
    const patient = new Client(world);
    expect(await patient.heard()).toEqual(['220 mx.x.test ESMTP']);
    expect(patient.connection.pauses[0]).toBe(5000);
  });

  it('is not held back on submission, nor for trusted addresses', async () => {
    const early = 'EHLO client.test\r\n';
    expect((await new Client(new World({ greetingPause: 5000 }), { listener: 'submission' }, early).heard())[0]).toMatch(/^220/);
    expect((await new Client(new World({ greetingPause: 5000, trustedIps: ['192.0.2.7'] }), {}, early).heard())[0]).toMatch(/^220/);
  });
});

describe('EHLO', () => {
  it('offers what there is without TLS', async () =>
    expect(await keywords(await greeted(new World({ messageSize: 1000, recipientsPerMessage: 50 })))).toEqual([
      'mx.x.test', 'PIPELINING', 'SIZE 1000', '8BITMIME', 'SMTPUTF8', 'CHUNKING', 'BINARYMIME', 'ENHANCEDSTATUSCODES', 'DSN', 'STARTTLS',
      'AUTH SCRAM-SHA-256 CRAM-MD5', 'LIMITS RCPTMAX=50', 'HELP',
    ]));

  it('offers REQUIRETLS and passwords under TLS, and STARTTLS no more', async () => {
    const lines = await keywords(await greeted(new World(), { tls: TLS }));
    expect(lines).toEqual(expect.arrayContaining(['REQUIRETLS', BOTH]));
    expect(lines).not.toContain('STARTTLS');
  });

  it('offers no STARTTLS without a certificate', async () => {
    const world = new World({}, { tls: false });
    const client = await greeted(world);
    expect(await keywords(client)).not.toContain('STARTTLS');
    expect(codeOf(await client.say('STARTTLS'))).toBe('502 5.5.1');
  });

  it('offers what the settings say', async () => {
    const lines = await keywords(await greeted(new World({ plainAuthWithoutTls: true, recipientsPerMessage: 0, messageSize: 0 })));
    expect(lines).toEqual(expect.arrayContaining([BOTH, 'SIZE 0']));
    expect(lines.join()).not.toContain('LIMITS');
  });

  it('of the old kind is one line', async () => {
    const client = await greeted(new World());
    client.connection.send('HELO client.test\r\n');
    expect(await client.heard()).toEqual(['250 mx.x.test']);
  });
});

describe('STARTTLS', () => {
  it('forgets what was said before, and what was sent behind it in the clear', async () => {
    const world = new World();
    const client = await Client.hello(world);
    client.connection.send('STARTTLS\r\nMAIL FROM:<eve@far.test>\r\n');
    expect((await client.heard()).map(codeOf)).toEqual(['220 2.0.0']);
    expect(await client.pipeline('MAIL FROM:<carl@far.test>')).toEqual(['503 5.5.1']);
    expect(await client.pipeline('EHLO client.test', 'STARTTLS')).toEqual(['250', '503 5.5.1']);
    expect(world.noted('TlsStarted')).toEqual([TLS]);
  });
});

describe('commands', () => {
  it('out of order are 503 and change nothing', async () => {
    const client = await greeted(new World());
    expect(await client.pipeline('MAIL FROM:<carl@far.test>', 'RCPT TO:<ann@x.test>', 'DATA')).toEqual(['503 5.5.1', '503 5.5.1', '503 5.5.1']);
    await client.say('EHLO client.test');
    expect(await client.pipeline('MAIL FROM:<carl@far.test>', 'MAIL FROM:<dora@far.test>', 'DATA')).toEqual(['250 2.1.0', '503 5.5.1', '503 5.5.1']);
  });

  it('are answered each in its turn when they come at once', async () => {
    const world = new World();
    const client = await Client.hello(world);
    client.connection.send('MAIL FROM:<carl@far.test>\r\nRCPT TO:<nobody@x.test>\r\nRCPT TO:<ann@x.test>\r\nDATA\r\nSubject: a\r\n\r\n.\r\nNOOP\r\nQUIT\r\n');
    expect((await client.heard()).map((line) => line.slice(0, 3))).toEqual(['250', '550', '250', '354', '250', '250', '221']);
    await client.served;
    expect(world.noted('SessionClosed')).toMatchObject([{ reason: 'quit', commands: 7 }]);
  });

  it('too long are refused, and the next is read', async () => {
    const client = await Client.hello(new World());
    expect(await client.pipeline(`NOOP ${'a'.repeat(600)}`, `NOOP ${'a'.repeat(20_000)}`, 'NOOP')).toEqual(['500 5.5.2', '500 5.5.2', '250 2.0.0']);
  });

  it('with bare line ends are one wrong command, not two', async () => {
    const client = await Client.hello(new World());
    expect(await client.pipeline('NOOP\nQUIT', 'NOOP\rQUIT', 'NOOP')).toEqual(['500 5.5.2', '500 5.5.2', '250 2.0.0']);
  });

  it('may be wrong so often and no oftener', async () => {
    const world = new World({ commandErrors: 3 });
    const client = await Client.hello(world);
    expect(await client.pipeline('FROB', 'FROB', 'FROB', 'NOOP')).toEqual(['500 5.5.1', '500 5.5.1', '421 4.7.0']);
    await client.served;
    expect(world.noted('CommandRefused')).toHaveLength(3);
    expect(world.noted('SessionClosed')).toMatchObject([{ reason: 'too-many-errors' }]);
  });

  it('may be wrong for ever where there is no limit', async () => {
    const client = await Client.hello(new World({ commandErrors: 0 }));
    expect(await client.pipeline(...Array.from({ length: 50 }, () => 'FROB'), 'NOOP')).toHaveLength(51);
  });

  it('of HTTP end the session at once', async () => {
    const world = new World();
    const client = await greeted(world);
    expect((await client.pipeline('GET / HTTP/1.1', 'Host: x.test', ''))).toEqual(['421 4.7.0']);
    await client.served;
    expect(world.noted('SessionClosed')).toMatchObject([{ reason: 'not-smtp' }]);
  });

  it('of TLS on a plain port end it without a word', async () => {
    const world = new World();
    const client = new Client(world, {}, '\x16\x03\x01\x02\x00\x01');
    await client.served;
    expect(client.connection.output).toBe('220 mx.x.test ESMTP\r\n');
    expect(world.noted('SessionClosed')).toMatchObject([{ reason: 'not-smtp' }]);
  });

  it('refused are written down with their rule', async () => {
    const world = new World();
    const client = await Client.hello(world);
    await client.pipeline('MAIL FROM:carl@far.test', 'MAIL FROM:<carl@far.test> X=1', 'BDAT x');
    expect(world.noted('CommandRefused')).toMatchObject([
      { verb: 'MAIL', rule: 'bad-sender', reply: '501 5.1.7 Syntax: MAIL FROM:<address> [parameters]', peer: { helo: 'client.test' } },
      { verb: 'MAIL', rule: 'unknown-parameter' },
      { verb: 'BDAT', rule: 'syntax' },
    ]);
  });

  it('HELP helps', async () => expect(await (await greeted(new World())).say('HELP')).toMatch(/^214 2\.0\.0 .*BDAT/));
});

describe('VRFY and EXPN', () => {
  const ask = async (world: World, login: boolean, ...lines: string[]): Promise<readonly string[]> => {
    const client = login ? await Client.login(world) : await Client.hello(world);
    client.connection.send(lines.map((line) => `${line}\r\n`).join(''));
    return client.heard();
  };

  it('say nothing where they are switched off, or to strangers', async () => {
    const silence = '252 2.1.5 Cannot verify, but will take mail for it';
    expect(await ask(new World(), true, 'VRFY ann@x.test', 'EXPN all@x.test')).toEqual([silence, silence]);
    expect(await ask(new World({ vrfy: true }), false, 'VRFY nobody@x.test')).toEqual([silence]);
    expect(await ask(new World({ vrfy: true }), true, 'VRFY ann', 'VRFY carl@far.test', 'VRFY <ann@x.test')).toEqual([silence, silence, silence]);
  });

  it('answer for our own', async () =>
    expect(await ask(new World({ vrfy: true }), true, 'VRFY <ann@x.test>', 'VRFY all@x.test', 'EXPN all@x.test', 'VRFY nobody@x.test', 'VRFY gone@x.test')).toEqual([
      '250 2.1.5 <ann@x.test>', '250 2.1.5 <all@x.test>', '250-2.1.5 <ann@x.test>', '250 2.1.5 <bob@x.test>', '550 5.1.1 No such mailbox here',
      '550 5.1.1 No such mailbox here',
    ]));

  it('are 451 while nobody can tell', async () => {
    const world = new World({ vrfy: true });
    const client = await Client.login(world);
    world.directory.broken = true;
    expect(codeOf(await client.say('VRFY ann@x.test'))).toBe('451 4.3.0');
  });
});

describe('a session', () => {
  it('is written down from its beginning to its end', async () => {
    const world = new World();
    const client = await Client.hello(world);
    world.clock.advance(2000);
    await client.leave();
    expect(world.facts.map(({ type }) => type)).toEqual(['SessionOpened', 'SessionClosed']);
    expect(world.noted('SessionOpened')).toEqual([{ protocol: 'smtp', listener: 'mx', peer: { ip: '192.0.2.7', port: 40_000 }, local: '127.0.0.1:25' }]);
    expect(world.noted('SessionClosed')).toMatchObject([{ reason: 'gone', seconds: 2, commands: 1, bytesIn: 18, peer: { helo: 'client.test' } }]);
    expect(world.admission.connections).toBe(1);
    expect(client.connection.idleTimeout).toBe(300_000);
  });
});
