import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Client, codeOf } from './testing/client.js';
import { World } from './testing/world.js';

/** A client with a transaction that is ready for its text. */
async function ready(world: World, parameters = ''): Promise<Client> {
  const client = await Client.hello(world);
  await client.pipeline(`MAIL FROM:<carl@far.test>${parameters}`, 'RCPT TO:<ann@x.test>');
  return client;
}

async function bdat(client: Client, text: string, last = ''): Promise<string> {
  client.connection.send(Buffer.from(`BDAT ${text.length}${last}\r\n${text}`, 'latin1'));
  return codeOf((await client.heard()).at(-1) ?? '');
}

describe('BDAT', () => {
  it('puts chunks together as they are', async () => {
    const world = new World();
    const client = await ready(world);
    expect(await bdat(client, 'Subject: a\r\n\r')).toBe('250 2.0.0');
    expect(await bdat(client, '\n..dots\r\n.\r\n')).toBe('250 2.0.0');
    expect(await bdat(client, 'end', ' LAST')).toBe('250 2.0.0');
    expect(world.bodyOf(world.accepted[0]!)).toBe('Subject: a\r\n\r\n..dots\r\n.\r\nend');
    expect(world.accepted[0]).toMatchObject({ body: '7BIT', hops: 0 });
  });

  it('may be one, or end with an empty one', async () => {
    const world = new World();
    const client = await ready(world);
    expect(await bdat(client, 'Subject: a\r\n', ' LAST')).toBe('250 2.0.0');
    await client.pipeline('MAIL FROM:<carl@far.test>', 'RCPT TO:<ann@x.test>');
    await bdat(client, 'Subject: b\r\n');
    expect(await bdat(client, '', ' LAST')).toBe('250 2.0.0');
    expect(world.accepted.map((message) => world.bodyOf(message))).toEqual(['Subject: a\r\n', 'Subject: b\r\n']);
  });

  it('carries any bytes with BINARYMIME', async () => {
    const world = new World();
    const client = await ready(world, ' BODY=BINARYMIME');
    expect(codeOf(await client.say('DATA'))).toBe('503 5.5.1');
    expect(await bdat(client, 'Subject: a\r\n\r\n\0\r\n.\r\n\n\r\xff', ' LAST')).toBe('250 2.0.0');
    expect(world.bodyOf(world.accepted[0]!)).toBe('Subject: a\r\n\r\n\0\r\n.\r\n\n\r\xff');
    expect(world.accepted[0]?.body).toBe('BINARYMIME');
  });

  it.each([
    ['a\nb', '550 5.6.11'],
    ['a\0b', '550 5.6.0'],
    ['a\r', '550 5.6.11'],
  ])('without BINARYMIME is held to text: %j', async (text, code) => {
    const world = new World();
    expect(await bdat(await ready(world), text, ' LAST')).toBe(code);
    expect(world.bodies.open).toBe(0);
  });

  it('that has failed takes the rest of what is under way for data, not for commands', async () => {
    const world = new World();
    const client = await ready(world);
    client.connection.send('BDAT 3\r\na\nbBDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<carl@far.test>\r\n');
    expect((await client.heard()).map(codeOf)).toEqual(['550 5.6.11', '503 5.5.1', '503 5.5.1', '250 2.1.0']);
    await client.leave();
    expect(world.refused[0]).toMatchObject({ phase: 'BDAT', rule: 'bare-lf', size: 3 });
  });

  it('without recipients is swallowed too', async () => {
    const client = await Client.hello(new World());
    client.connection.send('MAIL FROM:<carl@far.test>\r\nRCPT TO:<nobody@x.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n');
    expect((await client.heard()).map(codeOf)).toEqual(['250 2.1.0', '550 5.1.1', '503 5.5.1', '250 2.0.0']);
  });

  it('does not mix with DATA, and fixes the envelope', async () => {
    const client = await ready(new World());
    await bdat(client, 'Subject: a\r\n');
    expect(await client.pipeline('DATA', 'RCPT TO:<bob@x.test>', 'MAIL FROM:<>', 'STARTTLS')).toEqual(['503 5.5.1', '503 5.5.1', '503 5.5.1', '503 5.5.1']);
    expect(await bdat(client, 'end\r\n', ' LAST')).toBe('250 2.0.0');
  });

  it.each(['RSET', 'EHLO client.test', 'QUIT'])('is given up by %s', async (line) => {
    const world = new World();
    const client = await ready(world);
    await bdat(client, 'Subject: a\r\n');
    await client.say(line);
    await client.leave();
    expect(world.bodies.open).toBe(0);
    expect(world.refused[0]).toMatchObject({ rule: 'client-gave-up', phase: line.split(' ')[0], size: 12 });
  });

  it('obeys the size limit over all chunks', async () => {
    const client = await ready(new World({ messageSize: 1000 }));
    expect(await bdat(client, `${'a'.repeat(98)}\r\n`.repeat(6))).toBe('250 2.0.0');
    expect(await bdat(client, `${'a'.repeat(98)}\r\n`.repeat(6))).toBe('552 5.3.4');
    expect(codeOf(await client.say('NOOP'))).toBe('250 2.0.0');
  });

  it('far beyond the limit ends the connection, in a transaction or out of it', async () => {
    for (const lines of [[], ['MAIL FROM:<carl@far.test>', 'RCPT TO:<ann@x.test>']]) {
      const world = new World({ messageSize: 1000 });
      const client = await Client.hello(world);
      await client.pipeline(...lines);
      client.connection.send(`BDAT 1000000000\r\n${'a'.repeat(200_000)}`);
      expect((await client.heard()).map(codeOf)).toEqual(['421 4.3.4']);
      await client.served;
      expect(world.bodies.open).toBe(0);
    }
  });

  it('cut off by the client leaves nothing', async () => {
    for (const lines of [[], ['MAIL FROM:<carl@far.test>', 'RCPT TO:<ann@x.test>']]) {
      const world = new World();
      const client = await Client.hello(world);
      await client.pipeline(...lines);
      client.connection.send('BDAT 100 LAST\r\nSubject: a');
      await client.leave();
      expect(world.accepted).toEqual([]);
      expect(world.bodies.open).toBe(0);
    }
  });
});

describe('any text', () => {
  const line = fc.stringMatching(/^[.a-z: é-ÿ]{0,10}$/);
  const text = fc.array(line, { maxLength: 10 }).map((lines) => lines.map((l) => `${l}\r\n`).join(''));
  const cuts = fc.array(fc.nat({ max: 150 }), { maxLength: 8 });

  it('sent with DATA in any pieces is kept as it was', async () => {
    const world = new World({ messageSize: 0 });
    await fc.assert(
      fc.asyncProperty(text, cuts, async (body, at) => {
        const client = await ready(world);
        const sent = Buffer.from(`DATA\r\n${body.replace(/^\./gm, '..')}.\r\nNOOP\r\n`, 'latin1');
        const places = [0, ...at.filter((n) => n < sent.length).sort((a, b) => a - b), sent.length];
        for (let n = 1; n < places.length; n++) {
          client.connection.send(sent.subarray(places[n - 1], places[n]));
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect((await client.heard()).map((answer) => answer.slice(0, 3))).toEqual(['354', '250', '250']);
        expect(world.bodyOf(world.accepted.at(-1)!)).toBe(body);
        await client.leave();
      }),
      { numRuns: 60 },
    );
  });
});
