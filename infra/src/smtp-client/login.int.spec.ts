import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ClientCredentials } from '@kiroku/domain/smtp-client/types.js';
import type { Script } from '../rig/scripted-smtp.js';
import { fates, messageOf, Stage, targetAt } from './testing.js';

const stage = new Stage();
afterEach(() => stage.end());

const ann = (mechanism: ClientCredentials['mechanism']): ClientCredentials => ({ mechanism, user: 'ann@x.test', secret: 'pässword' });
const base64 = (text: string) => Buffer.from(text).toString('base64');
/** The port is in one of the answers, and another each time. */
const withoutPort = (port: number) => (line: string) =>
  line.startsWith('AUTH OAUTHBEARER ') ? `AUTH OAUTHBEARER ${base64(Buffer.from(line.slice(17), 'base64').toString().replace(`port=${port}`, 'port=PORT'))}` : line;
const serve = (auth: string, script: Script = {}) => stage.server(script, { extensions: ['PIPELINING', auth] });

/** Says these to AUTH and to each answer, in order. */
function dialogue(...says: readonly string[]) {
  const answers: string[] = [];
  let n = 0;
  const next = (line: string) => (answers.push(line), says[n++]);
  return { answers, script: { AUTH: next, 'AUTH-answer': next } satisfies Script };
}

describe('a login', () => {
  it.each([
    ['PLAIN', ['235 2.7.0 ok'], [`AUTH PLAIN ${base64('\0ann@x.test\0pässword')}`]],
    ['LOGIN', ['334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6', '235 2.7.0 ok'], ['AUTH LOGIN', base64('ann@x.test'), base64('pässword')]],
    ['CRAM-MD5', [`334 ${base64('<1@y.test>')}`, '235 2.7.0 ok'], ['AUTH CRAM-MD5', base64(`ann@x.test ${createHmac('md5', 'pässword').update('<1@y.test>').digest('hex')}`)]],
    ['XOAUTH2', ['235 2.7.0 ok'], [`AUTH XOAUTH2 ${base64('user=ann@x.test\x01auth=Bearer pässword\x01\x01')}`]],
    ['OAUTHBEARER', ['235 2.7.0 ok'], [`AUTH OAUTHBEARER ${base64('n,a=ann@x.test,\x01host=mx.y.test\x01port=PORT\x01auth=Bearer pässword\x01\x01')}`]],
  ] as const)('by %s is understood, and mail can be sent', async (mechanism, says, expected) => {
    const { answers, script } = dialogue(...says);
    const server = await serve(`AUTH ${mechanism}`, script);
    const client = await stage.open(targetAt(server.port, { mode: 'off' }, { credentials: ann(mechanism) }));
    expect(answers.map(withoutPort(server.port))).toEqual(expected);
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
  });

  it.each<[string, ClientCredentials['mechanism'], string, readonly string[], string, string]>([
    ['refused for good', 'PLAIN', 'AUTH PLAIN', ['535 5.7.8 wrong'], 'refused', '535 5.7.8 wrong'],
    ['refused for now', 'PLAIN', 'AUTH PLAIN', ['454 4.7.0 later'], 'line', '454 4.7.0 later'],
    ['refused by a token that is no good', 'XOAUTH2', 'AUTH XOAUTH2', [`334 ${base64('{"status":"401"}')}`, '535 5.7.8 token'], 'refused', '535 5.7.8 token'],
    ['refused by a token that is no good, as the standard says', 'OAUTHBEARER', 'AUTH OAUTHBEARER', [`334 ${base64('{"status":"invalid_token"}')}`, '535 5.7.8 token'], 'refused', '535 5.7.8 token'],
    ['asked on and on', 'LOGIN', 'AUTH LOGIN', ['334 a', '334 b', '334 c', '334 d', '334 e', '501 5.7.0 given up'], 'line', ''],
    ['not offered', 'any', 'SIZE', [], 'line', '450 4.7.0 Login not offered'],
    ['offered by other mechanisms only', 'any', 'AUTH GSSAPI XOAUTH2', [], 'line', '450 4.7.0 No common login mechanism: host offers GSSAPI XOAUTH2'],
  ])('that is %s is tried again later', async (_, mechanism, offer, says, because, reply) => {
    const { script } = dialogue(...says);
    const server = await serve(offer, script);
    const failure = await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: ann(mechanism) }));
    expect(failure).toMatchObject({ phase: 'AUTH', outcome: 'deferred', because, tlsFailed: false });
    expect(failure.reply).toContain(reply);
    expect(failure.reply).not.toContain('ssword');
  });

  it.each(['PLAIN', 'XOAUTH2', 'LOGIN'] as const)('by %s tells nothing secret though the server repeats what it heard', async (mechanism) => {
    let last = '';
    const next = (line: string) => ((last = line), mechanism === 'LOGIN' && !last.startsWith(base64('pässword')) ? '334 VXNlcm5hbWU6' : `501 5.5.2 Syntax error: ${last.slice(0, 60)} PLAIN`);
    const server = await serve(`AUTH ${mechanism}`, { AUTH: next, 'AUTH-answer': next });
    const { reply } = await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: ann(mechanism) }));
    expect(reply).toMatch(/^501 5\.5\.2 Syntax error: (AUTH \w+ )?\[\.\.\.\]$/);
  });

  it('never happens in plain text when encryption was wanted', async () => {
    const server = await serve('AUTH PLAIN');
    const failure = await stage.failure(targetAt(server.port, { mode: 'opportunistic' }, { credentials: ann('PLAIN') }));
    expect(failure).toMatchObject({ phase: 'AUTH', outcome: 'deferred', reply: '450 4.7.11 Login needs encryption' });
    expect(server.heard.some((line) => line.startsWith('AUTH'))).toBe(false);
  });

  it('that the server does not answer is over when the connection is', async () => {
    const server = await serve('AUTH PLAIN', { AUTH: { drop: true } });
    expect(await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: ann('any') }))).toMatchObject({
      phase: 'AUTH', because: 'line', reply: '450 4.4.2 Connection dropped by host',
    });
  });
});

describe('a login with a token', () => {
  const token = (secret: string, over: Partial<ClientCredentials> = {}): ClientCredentials => ({ mechanism: 'any', user: 'ann,=@x.test', secret, token: true, ...over });
  const sent = (line: string | undefined): string => Buffer.from(line?.split(' ').at(-1) ?? '', 'base64').toString();
  const REFUSED = { AUTH: `334 ${base64('{"status":"401"}')}`, 'AUTH-answer': '535 5.7.8 expired' } satisfies Script;
  const goodOnly = (good: string): Script => ({ AUTH: (line) => (sent(line).includes(good) ? '235 2.7.0 ok' : REFUSED.AUTH), 'AUTH-answer': REFUSED['AUTH-answer'] });

  it('takes the standard mechanism where it is offered, and writes the name as it asks for', async () => {
    const server = await serve('AUTH PLAIN XOAUTH2 OAUTHBEARER');
    await stage.open(targetAt(server.port, { mode: 'off' }, { credentials: token('t0') }));
    expect(sent(server.heard.find((line) => line.startsWith('AUTH OAUTHBEARER')))).toMatch(/^n,a=ann=2C=3D@x\.test,\x01/);
  });

  it('never goes by a mechanism for passwords', async () => {
    const server = await serve('AUTH PLAIN LOGIN');
    expect(await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: token('t0') }))).toMatchObject({ because: 'line', reply: expect.stringContaining('No common login mechanism') });
    expect(server.heard.some((line) => line.startsWith('AUTH'))).toBe(false);
  });

  it('is answered as each mechanism wants it when the server explains its no', async () => {
    for (const [mechanism, answer] of [['XOAUTH2', ''], ['OAUTHBEARER', 'AQ==']] as const) {
      const { answers, script } = dialogue(REFUSED.AUTH, REFUSED['AUTH-answer']);
      const server = await serve(`AUTH ${mechanism}`, script);
      await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: token('t0') }));
      expect(answers[1]).toBe(answer);
    }
  });

  it('is tried once more, on another connection, when the token was taken back', async () => {
    const server = await serve('AUTH XOAUTH2', goodOnly('fresh'));
    const client = await stage.open(targetAt(server.port, { mode: 'off' }, { credentials: token('stale', { renew: async () => token('fresh') }) }));
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
    expect(server.connections).toHaveLength(2);
  });

  it('is not tried a third time, nor when there is no other token', async () => {
    const server = await serve('AUTH XOAUTH2', goodOnly('none is'));
    let renewals = 0;
    const renewing = token('stale', { renew: async () => (renewals++, token('also stale', { renew: async () => token('never asked for') })) });
    expect(await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: renewing }))).toMatchObject({ phase: 'AUTH', outcome: 'deferred', reply: '535 5.7.8 expired' });
    expect([renewals, server.connections.length]).toEqual([1, 2]);
    await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: token('stale', { renew: async () => undefined }) }));
    expect(server.connections).toHaveLength(3);
  });

  it('is not renewed for a server in trouble', async () => {
    const server = await serve('AUTH XOAUTH2', { AUTH: '454 4.7.0 later' });
    let renewals = 0;
    await stage.failure(targetAt(server.port, { mode: 'off' }, { credentials: token('t0', { renew: async () => (renewals++, undefined) }) }));
    expect([renewals, server.connections.length]).toEqual([0, 1]);
  });
});
