import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ClientCredentials } from '@kiroku/domain/smtp-client/types.js';
import type { Script } from '../rig/scripted-smtp.js';
import { fates, messageOf, Stage, targetAt } from './testing.js';

const stage = new Stage();
afterEach(() => stage.end());

const ann = (mechanism: ClientCredentials['mechanism']): ClientCredentials => ({ mechanism, user: 'ann@x.test', secret: 'pässword' });
const base64 = (text: string) => Buffer.from(text).toString('base64');
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
  ] as const)('by %s is understood, and mail can be sent', async (mechanism, says, expected) => {
    const { answers, script } = dialogue(...says);
    const server = await serve(`AUTH ${mechanism}`, script);
    const client = await stage.open(targetAt(server.port, { mode: 'off' }, { credentials: ann(mechanism) }));
    expect(answers).toEqual(expected);
    expect(fates(await client.send(messageOf()))).toEqual(['delivered end-of-data 250 2.0.0 kept']);
  });

  it.each<[string, ClientCredentials['mechanism'], string, readonly string[], string, string]>([
    ['refused for good', 'PLAIN', 'AUTH PLAIN', ['535 5.7.8 wrong'], 'refused', '535 5.7.8 wrong'],
    ['refused for now', 'PLAIN', 'AUTH PLAIN', ['454 4.7.0 later'], 'line', '454 4.7.0 later'],
    ['refused by a token that is no good', 'XOAUTH2', 'AUTH XOAUTH2', [`334 ${base64('{"status":"401"}')}`, '535 5.7.8 token'], 'refused', '535 5.7.8 token'],
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
