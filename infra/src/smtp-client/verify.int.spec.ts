import { afterEach, describe, expect, it } from '@jest/globals';
import type { AskingConversation } from '@kiroku/domain/smtp-client/types.js';
import type { Script, ScriptedOptions } from '../rig/scripted-smtp.js';
import { smtpClient } from './open-conversation.js';
import { fates, messageOf, PATIENT, Stage, targetAt } from './testing.js';

const stage = new Stage();
const asking: AskingConversation[] = [];
afterEach(async () => {
  await Promise.all(asking.splice(0).map((client) => client.quit()));
  await stage.end();
});

async function talk(script: Script = {}, options: ScriptedOptions = {}, rcpt = PATIENT.rcpt) {
  const server = await stage.server(script, options);
  const client = await smtpClient({ timeouts: { ...PATIENT, rcpt } })(targetAt(server.port));
  asking.push(client);
  return { server, client };
}
const after = (heard: readonly string[]): readonly string[] => heard.slice(1); // EHLO

describe('a server that is only asked about a recipient', () => {
  it('hears MAIL and RCPT at once, and gets no message', async () => {
    const { server, client } = await talk({ RCPT: '250-2.1.5 that one\n250 2.1.5 is welcome' });
    expect(await client.verify('', 'bob@y.test')).toEqual({ outcome: 'taken', reply: '250 2.1.5 that one is welcome', phase: 'RCPT' });
    expect(after(server.heard)).toEqual(['MAIL FROM:<>', 'RCPT TO:<bob@y.test>']);
    expect(server.connections[0]?.reads).toHaveLength(2);
    await client.quit();
    expect(server.heard.at(-1)).toBe('QUIT');
    expect(server.messages).toEqual([]);
  });

  it('is asked in turn where it cannot take commands at once', async () => {
    const { server, client } = await talk({ MAIL: '451 4.7.1 not you' }, { extensions: [] });
    expect(await client.verify('', 'bob@y.test')).toEqual({ outcome: 'deferred', reply: '451 4.7.1 not you', phase: 'MAIL' });
    expect(after(server.heard)).toEqual(['MAIL FROM:<>']);
  });

  it.each<readonly [string, Script, object]>([
    ['no', { RCPT: '550 5.1.1 nobody' }, { outcome: 'refused', reply: '550 5.1.1 nobody', phase: 'RCPT' }],
    ['later', { RCPT: '450 4.2.1 not now' }, { outcome: 'deferred', reply: '450 4.2.1 not now', phase: 'RCPT' }],
    ['no to the sender', { MAIL: '550 5.7.1 no null senders' }, { outcome: 'refused', reply: '550 5.7.1 no null senders', phase: 'MAIL' }],
    ['no to the sender and yes to the recipient', { MAIL: '550 5.7.1 no', RCPT: '250 yes' }, { outcome: 'refused', reply: '550 5.7.1 no', phase: 'MAIL' }],
    ['that it closes', { RCPT: '421 4.3.2 going down' }, { outcome: 'deferred', reply: '421 4.3.2 going down', phase: 'RCPT' }],
    ['nothing and closes', { RCPT: { drop: true } }, { outcome: 'deferred', reply: '450 4.4.2 Connection dropped by host', phase: 'RCPT' }],
    ['what makes no sense', { RCPT: '354 go ahead' }, { outcome: 'deferred', reply: '450 4.5.0 Unexpected reply: 354 go ahead', phase: 'RCPT' }],
  ])('and says %s', async (_, script, expected) => {
    const { client } = await talk(script);
    expect(await client.verify('', 'bob@y.test')).toEqual(expected);
  });

  it('and says nothing is left in time', async () => {
    const { client } = await talk({ RCPT: { silent: true } }, {}, 50);
    expect(await client.verify('', 'bob@y.test')).toMatchObject({ outcome: 'deferred', phase: 'RCPT', reply: expect.stringMatching(/^450 4\.4\.2/) });
    expect(client.usable).toBe(false);
    expect(await client.verify('', 'bob@y.test')).toMatchObject({ outcome: 'deferred', phase: 'MAIL' });
  });

  it('may be asked again, and sent a message, each in a transaction of its own', async () => {
    const { server, client } = await talk({ RCPT: (line) => (line.includes('eve') ? '550 5.1.1 nobody' : undefined) });
    expect([(await client.verify('', 'bob@y.test')).outcome, (await client.verify('', 'eve@y.test')).outcome]).toEqual(['taken', 'refused']);
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(after(server.heard)).toEqual([
      'MAIL FROM:<>', 'RCPT TO:<bob@y.test>', 'RSET', 'MAIL FROM:<>', 'RCPT TO:<eve@y.test>', 'RSET', expect.stringMatching(/^MAIL FROM:<ann@x\.test>/),
      'RCPT TO:<bob@y.test>', 'DATA',
    ]);
    expect(client.sent).toBe(3);
  });

  it('is asked for non-ASCII addresses as far as it knows of them', async () => {
    const { server, client } = await talk({}, { extensions: ['PIPELINING', 'SMTPUTF8'] });
    expect((await client.verify('', '日本@y.test')).outcome).toBe('taken');
    expect(server.heard[1]).toBe('MAIL FROM:<> SMTPUTF8');
    const { server: old, client: toOld } = await talk();
    expect(await toOld.verify('', '日本@y.test')).toMatchObject({ outcome: 'refused', phase: 'RCPT', reply: expect.stringMatching(/^553 5\.6\.7/) });
    expect(after(old.heard)).toEqual([]);
  });

  it('hears no command that somebody hid in an address', async () => {
    const { server, client } = await talk();
    expect((await client.verify('', 'bob@y.test>\r\nRCPT TO:<eve@y.test')).outcome).toBe('refused');
    expect(after(server.heard)).toEqual([]);
  });
});
