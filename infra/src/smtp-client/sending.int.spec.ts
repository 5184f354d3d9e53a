import { afterEach, describe, expect, it } from '@jest/globals';
import type { OutboundMessage } from '@kiroku/domain/smtp-client/types.js';
import type { Script, ScriptedOptions } from '../rig/scripted-smtp.js';
import { until } from '../rig/until.js';
import { BODY, EVERYTHING, fates, messageOf, PATIENT, Stage, targetAt } from './testing.js';

const stage = new Stage();
afterEach(() => stage.end());

const send = async (script: Script, options: ScriptedOptions = {}, message = messageOf(), timeouts: Partial<typeof PATIENT> = {}) => {
  const { server, client } = await stage.talk(script, options, timeouts);
  return { server, client, results: fates(await client.send(message)) };
};
const answer = (verdicts: Record<string, string>) => (line: string) => verdicts[/<(\w+)@/.exec(line)?.[1] ?? ''];

describe('a message', () => {
  it('takes two writes with PIPELINING: the envelope, and the text with its end', async () => {
    const { server, results } = await send({}, {}, messageOf(BODY, { to: ['bob@y.test', 'cid@y.test'] }));
    expect(results).toEqual(['delivered end-of-data 250 2.0.0 kept', 'delivered end-of-data 250 2.0.0 kept']);
    expect(server.connections[0]?.reads.slice(1)).toEqual([
      'MAIL FROM:<ann@x.test>\r\nRCPT TO:<bob@y.test>\r\nRCPT TO:<cid@y.test>\r\nDATA\r\n',
      'Subject: x\r\n\r\n..dot\r\nlast\r\n.\r\n',
    ]);
    expect(server.messages[0]?.body.toString()).toBe(BODY);
  });

  it('goes in lock-step without PIPELINING', async () => {
    const { server } = await send({}, { extensions: [] });
    expect(server.connections[0]?.reads.slice(1)).toEqual([
      'MAIL FROM:<ann@x.test>\r\n', 'RCPT TO:<bob@y.test>\r\n', 'DATA\r\n', 'Subject: x\r\n\r\n..dot\r\nlast\r\n.\r\n',
    ]);
  });

  it('follows another on the same connection without RSET', async () => {
    const { server, client } = await send({});
    expect(fates(await client.send(messageOf('two\r\n')))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages.map(({ body }) => body.toString())).toEqual([BODY, 'two\r\n']);
    expect(server.heard.filter((line) => line === 'RSET')).toEqual([]);
    expect(client.sent).toBe(2);
  });

  it('follows one that was not finished after RSET, in the same write', async () => {
    const { server, client } = await send({ RCPT: answer({ gone: '550 5.1.1 gone' }), DATA: (_, c) => (c.counts.get('DATA') === 1 ? '503 5.5.1 nobody' : undefined) }, {}, messageOf(BODY, { to: ['gone@y.test'] }));
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.connections[0]?.reads.at(-2)).toBe('RSET\r\nMAIL FROM:<ann@x.test>\r\nRCPT TO:<bob@y.test>\r\nDATA\r\n');
  });

  it('is not sent after a RSET that went wrong', async () => {
    const { client } = await send({ DATA: '451 4.3.0 no', RSET: '500 what' });
    expect(fates(await client.send(messageOf()))).toEqual(['deferred line MAIL 450 4.5.0 Unexpected reply: 500 to RSET']);
    expect(client.usable).toBe(false);
  });

  it('without recipients is nothing to do', async () => {
    const { server, client } = await stage.talk();
    expect(await client.send(messageOf(BODY, { to: [] }))).toEqual([]);
    expect(server.heard).toEqual(['EHLO mail.x.test']);
  });

  it('never lets a bare CR or LF out, however its chunks are cut', async () => {
    const chunks = [...'A: b\n\n.\nx\r.y\r\n\rz'].map((char) => Buffer.from(char));
    const { server } = await send({}, {}, messageOf(chunks));
    expect(server.messages[0]?.wire.toString()).toBe('A: b\r\n\r\n..\r\nx\r\n..y\r\n\r\nz\r\n.\r\n');
  });

  it('that is large arrives whole, from an asynchronous source too', async () => {
    const chunks = Array.from({ length: 40 }, (_, n) => Buffer.alloc(256 * 1024, `${n} line of text, some of them long and all of them the same\r\n`));
    async function* slowly() {
      for (const chunk of chunks) {
        await new Promise(setImmediate);
        yield chunk;
      }
    }
    const { server, client } = await stage.talk({});
    for (const content of [() => chunks, slowly]) {
      expect(fates(await client.send({ ...messageOf(chunks), content }))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    }
    const whole = Buffer.concat(chunks).toString().replace(/\r(?!\n)|(?<!\r)\n/g, '\r\n');
    for (const { body } of server.messages) expect(body.equals(Buffer.from(whole.endsWith('\r\n') ? whole : `${whole}\r\n`))).toBe(true);
    expect(server.messages).toHaveLength(2);
  });

  it('waits for a server that reads slowly, with little in memory', async () => {
    const { server, client } = await stage.talk({}, { stopReading: true });
    let made = 0;
    function* content() {
      for (; made < 200; made++) yield Buffer.alloc(256 * 1024, 'x'.repeat(62).concat('\r\n'));
    }
    const sending = client.send({ ...messageOf(), content });
    await until('the window is full', 5000, () => made > 0 && server.connections[0]?.socket.isPaused());
    let before = -1;
    await until('nothing more is asked for', 5000, () => before === (before = made));
    expect(made).toBeLessThan(150); // what the system's buffers hold, and one chunk
    server.connections[0]?.socket.resume();
    expect(fates(await sending)).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]?.body.length).toBe(200 * 256 * 1024);
  });
});

describe('recipients', () => {
  it('each have a fate of their own', async () => {
    const script: Script = { RCPT: answer({ gone: '550 5.1.1 gone', full: '452-4.2.2 mailbox\n452 4.2.2 full', fwd: '251 2.1.5 forwarded' }) };
    const { server, results } = await send(script, {}, messageOf(BODY, { to: ['bob@y.test', 'gone@y.test', 'full@y.test', 'fwd@y.test'] }));
    expect(results).toEqual([
      'delivered end-of-data 250 2.0.0 kept', 'refused refused RCPT 550 5.1.1 gone', 'deferred line RCPT 452 4.2.2 mailbox full', 'delivered end-of-data 250 2.0.0 kept',
    ]);
    expect(server.messages).toHaveLength(1);
  });

  it.each(['PIPELINING', ''])('that are all refused end the transaction (%s)', async (extension) => {
    const { server, client, results } = await send({ RCPT: '550 5.1.1 gone', DATA: '554 5.5.1 no valid recipients' }, { extensions: [extension] });
    expect(results).toEqual(['refused refused RCPT 550 5.1.1 gone']);
    expect(server.heard.includes('DATA')).toBe(extension !== '');
    expect(client.usable).toBe(true);
  });

  it('that are all refused while the text is awaited are followed by an empty one', async () => {
    const { server, client, results } = await send({ RCPT: '550 5.1.1 gone', 'end-of-data': '554 5.5.1 no valid recipients' });
    expect(results).toEqual(['refused refused RCPT 550 5.1.1 gone']);
    expect(server.connections[0]?.reads.at(-1)).toBe('.\r\n');
    server.script = {};
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.heard).not.toContain('RSET');
  });

  it('beyond the limit of the server go in further transactions', async () => {
    const to = ['a', 'b', 'c', 'd', 'e'].map((name) => `${name}@y.test`);
    const { server, results } = await send({}, { extensions: ['PIPELINING', 'LIMITS RCPTMAX=2 MAILMAX=2'] }, messageOf(BODY, { to }));
    expect(server.messages.map(({ rcpt }) => rcpt.length)).toEqual([2, 2]);
    expect(results[4]).toBe('deferred line MAIL 450 4.5.3 Host takes no more messages on this connection');
  });

  it('that the server finds too many go in a further transaction, as long as that gets on', async () => {
    const to = ['a', 'b', 'c'].map((name) => `${name}@y.test`);
    const script: Script = { RCPT: (_, { rcpt }) => (rcpt.length > 2 ? '552 too many' : undefined) };
    const { server, client, results } = await send(script, {}, messageOf(BODY, { to }));
    expect(server.messages.map(({ rcpt }) => rcpt.length)).toEqual([3, 1]);
    expect(results.every((fate) => fate.startsWith('delivered'))).toBe(true);
    server.script = { RCPT: '452 4.5.3 too many' };
    expect(fates(await client.send(messageOf()))).toEqual(['deferred line RCPT 452 4.5.3 too many']);
  });

  it('with addresses that would break out are refused and not said', async () => {
    const { server, results } = await send({}, {}, messageOf(BODY, { to: ['a@y.test>\r\nRSET', 'bob@y.test'] }));
    expect(results).toEqual(['refused refused RCPT 553 5.1.3 Bad recipient address', 'delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]?.rcpt).toEqual(['TO:<bob@y.test>']);
  });
});

describe('a refusal', () => {
  it.each<[string, Script, string, boolean]>([
    ['of MAIL for good', { MAIL: '550 5.7.1 no', RCPT: '503 5.5.1 no', DATA: '503 5.5.1 no' }, 'refused refused MAIL 550 5.7.1 no', true],
    ['of MAIL for now', { MAIL: '451 4.7.1 no', RCPT: '503 5.5.1 no', DATA: '503 5.5.1 no' }, 'deferred line MAIL 451 4.7.1 no', true],
    ['of RCPT for good', { RCPT: '550 5.1.1 no', DATA: '503 5.5.1 no' }, 'refused refused RCPT 550 5.1.1 no', true],
    ['of RCPT for now', { RCPT: '450 4.2.0 greylisted', DATA: '503 5.5.1 no' }, 'deferred line RCPT 450 4.2.0 greylisted', true],
    ['of DATA for good', { DATA: '554 5.3.0 no' }, 'refused refused DATA 554 5.3.0 no', true],
    ['of DATA for now', { DATA: '451 4.3.0 no' }, 'deferred line DATA 451 4.3.0 no', true],
    ['of the text for good', { 'end-of-data': '554 5.6.0 spam' }, 'refused refused end-of-data 554 5.6.0 spam', true],
    ['of the text for now', { 'end-of-data': '451 4.3.0 full' }, 'deferred line end-of-data 451 4.3.0 full', true],
    ['of MAIL by 421', { MAIL: '421 4.3.2 going' }, 'deferred line MAIL 421 4.3.2 going', false],
    ['of RCPT by 421', { RCPT: '421 4.3.2 going' }, 'deferred line RCPT 421 4.3.2 going', false],
    ['of DATA by 421', { DATA: '421 4.3.2 going' }, 'deferred line DATA 421 4.3.2 going', false],
    ['of the text by 421', { 'end-of-data': '421 4.3.2 going' }, 'deferred line end-of-data 421 4.3.2 going', false],
    ['that is none, 250 for DATA', { DATA: '250 ok' }, 'deferred line DATA 450 4.5.0 Unexpected reply: 250 ok', false],
    ['that is no reply', { RCPT: 'hello?' }, 'deferred line RCPT 450 4.5.0 Host does not speak SMTP: hello?', false],
    ['that is endless', { RCPT: { raw: '250-x\r\n'.repeat(1000) } }, 'deferred line RCPT 450 4.5.0 Host does not speak SMTP: 250-x', false],
  ])('%s, pipelined and in lock-step', async (_, script, fate, usable) => {
    for (const extensions of [['PIPELINING'], []]) {
      const { client, results } = await send(script, { extensions });
      expect(results).toEqual([fate]);
      expect(client.usable).toBe(usable);
    }
  });

  it('in the middle of the text ends it at once', async () => {
    const chunks = Array.from({ length: 400 }, () => Buffer.alloc(64 * 1024, 'x'.repeat(62).concat('\r\n')));
    for (const [say, fate] of [['552 5.3.4 too big', 'refused refused DATA 552 5.3.4 too big'], ['421 4.3.1 full', 'deferred line DATA 421 4.3.1 full']] as const) {
      const { client, results } = await send({ 'in-data': { say } }, { stopReading: true }, messageOf(chunks));
      expect(results).toEqual([fate]);
      expect(client.usable).toBe(false);
    }
  });
});

describe('a 354 that is taken back at once', () => {
  it.each<[string, Script, string]>([
    ['by 550', { DATA: '354 go\n550 5.7.1 not from you' }, 'refused refused DATA 550 5.7.1 not from you'],
    ['by 550 and the end', { DATA: { drop: true, say: '354 go\n550 5.7.1 not from you' } }, 'refused refused DATA 550 5.7.1 not from you'],
    ['by 452', { DATA: '354 go\n452 4.3.1 full' }, 'deferred line DATA 452 4.3.1 full'],
    ['by 421', { DATA: { drop: true, say: '354 go\n421 4.3.1 full' } }, 'deferred line DATA 421 4.3.1 full'],
    ['by 250, which means nothing', { DATA: '354 go\n250 ok' }, 'deferred line DATA 450 4.5.0 Unexpected reply: 250 ok'],
  ])('%s counts as what was said then', async (_, script, fate) => {
    for (const extensions of [['PIPELINING'], []]) {
      const { client, server, results } = await send(script, { extensions });
      expect(results).toEqual([fate]);
      expect(client.usable).toBe(false);
      expect(server.messages).toEqual([]);
    }
  });

  it('leaves the fates of others as they were', async () => {
    const message = messageOf(BODY, { to: ['gone@y.test', 'bob@y.test'] });
    const { results } = await send({ RCPT: (line) => (line.includes('gone') ? '551 5.1.1 gone' : undefined), DATA: '354 go\n550 5.7.1 no' }, {}, message);
    expect(results).toEqual(['refused refused RCPT 551 5.1.1 gone', 'refused refused DATA 550 5.7.1 no']);
  });
});

describe('an 8-bit message to a server that takes 7 bits', () => {
  const text = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n.one caf\u00e9 in a long line\r\n';
  const eightBit = messageOf(text, { body: '8BITMIME' });
  const sendAs = async (mode: 'downgrade' | 'bounce' | 'send' | undefined, message = eightBit) => {
    const server = await stage.server({}, { extensions: ['PIPELINING', 'SIZE 1000'] });
    const client = await stage.open(targetAt(server.port), { timeouts: PATIENT, ...(mode && { eightBit: () => mode }) });
    return { server, results: fates(await client.send(message)) };
  };

  it('is made 7-bit, and its size is not announced', async () => {
    for (const mode of ['downgrade', undefined] as const) {
      const { server, results } = await sendAs(mode);
      expect(results).toEqual(['delivered end-of-data 250 2.0.0 kept']);
      expect(server.messages[0]?.mail).toBe('FROM:<ann@x.test>');
      expect(server.messages[0]?.body.toString('latin1')).toBe(text.replace('8bit', 'quoted-printable').replace('\u00e9', '=C3=A9'));
    }
  });

  it('bounces where that is what administrators want', async () => {
    const { server, results } = await sendAs('bounce');
    expect(results).toEqual(['refused refused MAIL 554 5.6.3 8-bit message, and host takes 7-bit only']);
    expect(server.messages).toEqual([]);
  });

  it('is sent as it is where they want that', async () => {
    const { server, results } = await sendAs('send');
    expect(results).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]?.mail).toBe(`FROM:<ann@x.test> SIZE=${Buffer.byteLength(text)}`);
    expect(server.messages[0]?.body.toString()).toBe(text);
  });

  it('bounces when a signature covers it', async () => {
    const signed = 'MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\ncaf\u00e9\r\n--s--\r\n';
    const { results } = await sendAs('downgrade', messageOf(signed, { body: '8BITMIME' }));
    expect(results).toEqual(['refused refused MAIL 554 5.6.3 8-bit part under a signature or encryption, and host takes 7-bit only']);
  });
});

describe('a seal', () => {
  const sealed = async (extensions: readonly string[], seal: OutboundMessage['seal'], body = BODY, over: Partial<OutboundMessage> = {}) =>
    send({}, { extensions }, { ...messageOf(body), ...over, ...(seal && { seal }) });
  const lengthOf: OutboundMessage['seal'] = async (content) => {
    let bytes = 0;
    for await (const chunk of content()) bytes += chunk.length;
    return `X-Seal: ${bytes}\r\n`;
  };

  it('stands before what it was made of, and counts in the size', async () => {
    const { server } = await sealed(['PIPELINING', 'SIZE 1000'], lengthOf);
    expect(server.messages[0]?.body.toString()).toBe(`X-Seal: 26\r\n${BODY}`);
    expect(server.messages[0]?.mail).toBe('FROM:<ann@x.test> SIZE=38');
  });

  it('is made of the message in the form in which it leaves', async () => {
    const { server } = await sealed(['PIPELINING'], lengthOf, 'A: b\r\n\r\nthe caf\u00e9 again\r\n', { body: '8BITMIME' });
    const [first, ...rest] = server.messages[0]?.body.toString().split('\r\n') ?? [];
    expect(first).toBe(`X-Seal: ${rest.join('\r\n').length}`);
    expect(rest.join('\r\n')).toContain('the caf=C3=A9 again');
  });

  it('may be none', async () => {
    const { server } = await sealed(['PIPELINING', 'SIZE 1000'], () => Promise.resolve(''));
    expect(server.messages[0]?.body.toString()).toBe(BODY);
    expect(server.messages[0]?.mail).toBe('FROM:<ann@x.test> SIZE=26');
  });

  it('that cannot be made is trouble of this server, and the connection goes on', async () => {
    const { server, results, client } = await sealed(['PIPELINING'], () => Promise.reject(new Error('no key')));
    expect(results).toEqual(['deferred local MAIL 451 4.3.0 Message could not be read on this server']);
    expect(server.heard).toEqual(['EHLO mail.x.test']);
    expect(client.usable).toBe(true);
  });
});

describe('a connection that breaks', () => {
  const DROPPED = '450 4.4.2 Connection dropped by host';
  it.each<[string, Script, string]>([
    ['at MAIL', { MAIL: { drop: true } }, `deferred line MAIL ${DROPPED}`],
    ['at RCPT', { RCPT: { drop: true } }, `deferred line RCPT ${DROPPED}`],
    ['at DATA', { DATA: { drop: true } }, `deferred line DATA ${DROPPED}`],
    ['after the end of data', { 'end-of-data': { drop: true } }, `unknown line end-of-data ${DROPPED}`],
    ['hard after the end of data', { 'end-of-data': { drop: true, reset: true } }, `unknown line end-of-data ${DROPPED}: ECONNRESET`],
    ['in the middle of the last reply', { 'end-of-data': { drop: true, say: '250-2.0.0 kept' } }, `unknown line end-of-data ${DROPPED}`],
  ])('%s has an outcome', async (_, script, fate) => {
    const { client, results } = await send(script);
    expect(results).toEqual([fate]);
    expect(client.usable).toBe(false);
  });

  it('in the middle of the text has not delivered it', async () => {
    const chunks = Array.from({ length: 400 }, () => Buffer.alloc(64 * 1024, 'x'.repeat(62).concat('\r\n')));
    const { results } = await send({ 'in-data': { drop: true, reset: true } }, { stopReading: true }, messageOf(chunks));
    expect(results[0]).toMatch(/^deferred line DATA 450 4\.4\.2 Connection dropped by host/);
  });

  it('right after 354 may or may not have it', async () => {
    const { results } = await send({ DATA: { drop: true, say: '354 go' } });
    expect(results[0]).toMatch(/^(unknown line end-of-data|deferred line DATA) 450 4\.4\.2 Connection dropped by host/);
  });

  it('keeps the fates that were decided before', async () => {
    const { results } = await send({ RCPT: (line) => (line.includes('bob') ? { drop: true } : '550 5.1.1 gone') }, {}, messageOf(BODY, { to: ['gone@y.test', 'bob@y.test', 'cid@y.test'] }));
    expect(results).toEqual(['refused refused RCPT 550 5.1.1 gone', `deferred line RCPT ${DROPPED}`, `deferred line RCPT ${DROPPED}`]);
  });
});

describe('a server that falls silent', () => {
  it.each<[string, Script, Partial<typeof PATIENT>, string]>([
    ['at MAIL', { MAIL: { silent: true } }, { mail: 60 }, 'deferred line MAIL'],
    ['at RCPT', { RCPT: { silent: true } }, { rcpt: 60 }, 'deferred line RCPT'],
    ['at DATA', { DATA: { silent: true } }, { dataInit: 60 }, 'deferred line DATA'],
    ['after the end of data', { 'end-of-data': { silent: true } }, { dataEnd: 60 }, 'unknown line end-of-data'],
  ])('%s is left', async (_, script, timeouts, fate) => {
    for (const extensions of [['PIPELINING'], []]) {
      const { client, results } = await send(script, { extensions }, messageOf(), timeouts);
      expect(results).toEqual([`${fate} 450 4.4.2 Host fell silent: no reply within 0.1 s`]);
      expect(client.usable).toBe(false);
    }
  });

  it('or takes nothing of the text any more is left', async () => {
    const chunks = Array.from({ length: 400 }, () => Buffer.alloc(64 * 1024, 'x'.repeat(62).concat('\r\n')));
    const { results } = await send({}, { stopReading: true }, messageOf(chunks), { dataBlock: 100 });
    expect(results).toEqual(['deferred line DATA 450 4.4.2 Host fell silent: took no data within 0.1 s']);
  });

  it('has the time of each reply for each reply', async () => {
    const quick: Partial<typeof PATIENT> = { rcpt: 5_000, dataEnd: 5_000, mail: 5_000, dataInit: 5_000 };
    let answered = 0;
    const slowly = (say: string) => () => ({ say, when: new Promise((resolve) => setTimeout(resolve, 1_800)).then(() => answered++) });
    const { results } = await send({ MAIL: slowly('250 ok'), RCPT: slowly('250 ok'), DATA: slowly('354 go') }, {}, messageOf(), quick);
    expect(results).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(answered).toBe(3);
  });
});

describe('a message that cannot be read here', () => {
  it.each<[string, () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>]>([
    ['at all', () => { throw new Error('/secret/path'); }],
    ['to its end', function* () { yield Buffer.alloc(100_000, 'x'.repeat(62).concat('\r\n')); throw new Error('/secret/path'); }],
    ['asynchronously', async function* () { yield Buffer.from('x\r\n'); throw new Error('/secret/path'); }],
  ])('%s is deferred for this server\'s sake, and half of it is not delivered', async (_, content) => {
    const troubles: unknown[] = [];
    const server = await stage.server();
    const client = await stage.open(targetAt(server.port), { timeouts: PATIENT, trouble: (error) => troubles.push(error) });
    expect(fates(await client.send({ ...messageOf(), content }))).toEqual(['deferred local DATA 451 4.3.0 Message could not be read on this server']);
    expect(client.usable).toBe(false);
    expect(troubles).toEqual([new Error('/secret/path')]);
    await until('closed', 5000, () => server.connections[0]?.closed);
    expect(server.messages).toEqual([]);
  });
});

describe('extensions', () => {
  const eightBit: Partial<OutboundMessage> = { body: '8BITMIME' };
  it('are used where they are offered', async () => {
    const message = messageOf('A: 日\r\n\r\n', { body: '8BITMIME', smtputf8: true, ret: 'HDRS', envid: 'E1', to: ['日本@y.test'] });
    const recipients = [{ address: '日本@y.test', notify: ['SUCCESS'] as const, orcpt: 'utf-8;日@y.test' }];
    const { server, results } = await send({}, { extensions: EVERYTHING }, { ...message, recipients });
    expect(results).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]).toMatchObject({
      mail: `FROM:<ann@x.test> SIZE=${message.size} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=E1`,
      rcpt: ['TO:<日本@y.test> NOTIFY=SUCCESS ORCPT=utf-8;\\x{65E5}@y.test'],
    });
  });

  it('for reports are not passed on where they are missing, and the result says so', async () => {
    const { client } = await stage.talk({}, { extensions: ['PIPELINING'] });
    expect(await client.send(messageOf(BODY, { ret: 'FULL', envid: 'E1' }))).toEqual([
      { address: 'bob@y.test', outcome: 'delivered', reply: '250 2.0.0 kept', phase: 'end-of-data', relayed: true },
    ]);
  });

  it.each<[string, readonly string[], Partial<OutboundMessage> & { to?: readonly string[] }, string, string]>([
    ['SIZE', ['PIPELINING', 'SIZE 10'], {}, BODY, 'refused refused MAIL 552 5.3.4 Message too big for host: 26 bytes, limit 10'],
    ['8BITMIME', ['PIPELINING'], eightBit, 'A: 日\r\n\r\nx\r\n', 'refused refused MAIL 554 5.6.3 8-bit header, and host takes 7-bit only'],
    ['SMTPUTF8', ['PIPELINING', '8BITMIME'], { smtputf8: true, ...eightBit }, 'A: 日\r\n\r\n', 'refused refused MAIL 554 5.6.7 Internationalized message, and host does not offer SMTPUTF8'],
    ['BINARYMIME', ['PIPELINING', 'CHUNKING'], { body: 'BINARYMIME' }, 'A: b\r\n\r\n\0', 'refused refused MAIL 554 5.6.3 Binary message, and host takes text only'],
    ['REQUIRETLS', EVERYTHING, { requireTls: true }, BODY, 'refused refused MAIL 550 5.7.30 REQUIRETLS requires a verified TLS connection'],
  ])('%s: what the server cannot take is refused before it is sent', async (_, extensions, over, body, fate) => {
    const { server, client, results } = await send({}, { extensions }, messageOf(body, over));
    expect(results).toEqual([fate]);
    expect(server.heard).toEqual(['EHLO mail.x.test']);
    expect(client.usable).toBe(true);
  });

  it('are not needed by a message that was declared to need them and does not', async () => {
    const { server, results } = await send({}, { extensions: ['PIPELINING'] }, messageOf(BODY, { body: '8BITMIME', smtputf8: true }));
    expect(results).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]?.mail).toBe('FROM:<ann@x.test>');
  });

  it('SMTPUTF8: only the recipients that need it are refused without it', async () => {
    const { results } = await send({}, {}, messageOf(BODY, { to: ['日本@y.test', 'bob@y.test'] }));
    expect(results).toEqual(['refused refused RCPT 553 5.6.7 Non-ASCII address, and host does not offer SMTPUTF8', 'delivered end-of-data 250 2.0.0 kept']);
  });

  it('BINARYMIME: the bytes go as they are', async () => {
    const body = Buffer.from([...Buffer.from('A: b\r\n\r\n.\n.\r\n\r'), 0, 255, 10]);
    const { server, client, results } = await send({}, { extensions: EVERYTHING }, messageOf([body.subarray(0, 9), body.subarray(9)], { body: 'BINARYMIME' }));
    expect(results).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.messages[0]?.body.equals(body)).toBe(true);
    expect(server.heard.slice(-1)).toEqual([`BDAT ${body.length} LAST`]);
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
  });

  it('BINARYMIME: no chunk is begun when nobody was accepted, and none is ended with the wrong size', async () => {
    const { server, client } = await send({ RCPT: answer({ gone: '550 5.1.1 gone' }) }, { extensions: EVERYTHING }, messageOf(BODY, { body: 'BINARYMIME', to: ['gone@y.test'] }));
    expect(server.heard.some((line) => line.startsWith('BDAT'))).toBe(false);
    for (const [size, talk] of [[9999, client], [5, await stage.open(targetAt(server.port))]] as const) {
      expect(fates(await talk.send(messageOf(BODY, { body: 'BINARYMIME', size })))).toEqual(['deferred local DATA 451 4.3.0 Message size differs from what was announced']);
      expect(talk.usable).toBe(false);
    }
    expect(server.messages).toEqual([]);
    expect(server.heard.filter((line) => line.startsWith('Subject'))).toEqual([]); // what is too much would be read as commands
  });

  it('LIMITS: a connection takes as many messages as the server says', async () => {
    const { client } = await send({}, { extensions: ['PIPELINING', 'LIMITS MAILMAX=2'] });
    expect(client.usable).toBe(true);
    await client.send(messageOf());
    expect(client.usable).toBe(false);
  });
});

describe('one message at a time', () => {
  it('is sent; a second one has to wait, and quitting ends the first', async () => {
    const { client } = await stage.talk({ 'end-of-data': { silent: true } });
    const first = client.send(messageOf());
    expect(fates(await client.send(messageOf()))).toEqual(['deferred local MAIL 451 4.3.0 Connection not usable here']);
    await client.quit();
    expect(fates(await first)[0]).toMatch(/^(deferred|unknown) line /);
  });
});
