import { afterEach, describe, expect, it } from '@jest/globals';
import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import { RouteTable } from '@kiroku/domain/routing/route-table.js';
import { isRow, parseTable } from '@kiroku/domain/routing/gateway-table.js';
import { type ClientCredentials, LoginUnavailable, type TlsDemand } from '@kiroku/domain/smtp-client/types.js';
import type { Script, ScriptedSmtp } from '../rig/scripted-smtp.js';
import { until } from '../rig/until.js';
import { smtpClient } from '../smtp-client/open-conversation.js';
import { PATIENT, Stage } from '../smtp-client/testing.js';
import { askRecipient, type AskParts } from './ask-recipient.js';

const stage = new Stage();
afterEach(() => stage.end());

const tableOf = (text: string): RouteTable => new RouteTable(parseTable(text).lines.filter(isRow));
const hostAt = (port: number): Host => ({ name: 'inner.test', ip: '127.0.0.1', port, preference: 0, secure: false });
const demand = (mode: TlsDemand['mode']): TlsDemand => ({ mode, verify: 'no', names: ['inner.test'] });

/** Asks the servers at these ports, one after the other. */
function asker(ports: readonly number[], over: Partial<AskParts> = {}) {
  const troubles: unknown[] = [];
  const routes: Route[] = [];
  const ask = askRecipient({
    table: () => tableOf('y.test, inner.test, 2525'),
    hosts: (route) => (routes.push(route), Promise.resolve({ kind: 'hosts', hosts: ports.map(hostAt) })),
    tls: () => Promise.resolve({ kind: 'demands', demands: [demand('off')] }),
    credentials: () => Promise.resolve(undefined),
    open: smtpClient({ timeouts: PATIENT }),
    helo: () => 'mail.x.test',
    trouble: (error) => void troubles.push(error),
    ...over,
  });
  return { ask, troubles, routes };
}

async function inner(script: Script = {}): Promise<ScriptedSmtp> {
  return stage.server(script);
}

describe('the server behind a gateway, asked about a recipient', () => {
  it('is where the table says, hears the null sender, and is left politely', async () => {
    const server = await inner();
    const { ask, routes } = asker([server.port]);
    expect(await ask('bob@y.test')).toBe('yes');
    expect(routes).toEqual([{ kind: 'gateway', host: 'inner.test', port: 2525, implicitTls: false }]);
    await until('it is left', 5000, () => server.heard.at(-1) === 'QUIT');
    expect(server.heard).toEqual(['EHLO mail.x.test', 'MAIL FROM:<>', 'RCPT TO:<bob@y.test>', 'QUIT']);
  });

  it.each<readonly [string, Script, string]>([
    ['knows it', { RCPT: '251 2.1.5 will forward' }, 'yes'],
    ['does not know it', { RCPT: '550 5.1.1 nobody' }, 'no'],
    ['has not made up its mind', { RCPT: '450 4.7.1 greylisted' }, 'temporary'],
    ['takes nothing from the null sender', { MAIL: '550 5.7.1 no' }, 'temporary'],
    ['takes nothing from us', { greeting: '554 5.7.1 no' }, 'temporary'],
    ['breaks off', { RCPT: { drop: true, reset: true } }, 'temporary'],
    ['is no mail server', { greeting: 'SSH-2.0-OpenSSH' }, 'temporary'],
  ])('%#: %s', async (_, script, verdict) => {
    const server = await inner(script);
    const { ask, troubles } = asker([server.port]);
    expect(await ask('bob@y.test')).toBe(verdict);
    expect(troubles).toEqual([]);
  });

  it('is another one when the first is not there', async () => {
    const gone = await inner();
    await gone.close();
    const server = await inner({ RCPT: '550 5.1.1 nobody' });
    expect(await asker([gone.port, server.port]).ask('bob@y.test')).toBe('no');
  });

  it('is not another one when the first has answered', async () => {
    const [first, second] = [await inner({ RCPT: '451 4.3.0 later' }), await inner()];
    expect(await asker([first.port, second.port]).ask('bob@y.test')).toBe('temporary');
    expect(second.heard).toEqual([]);
  });

  it('is asked without encryption where that may be, after the encryption failed', async () => {
    const server = await stage.server({ STARTTLS: '454 4.7.0 not today' }, { extensions: ['STARTTLS'] });
    const both = { tls: () => Promise.resolve({ kind: 'demands' as const, demands: [demand('required'), demand('off')] }) };
    expect(await asker([server.port], both).ask('bob@y.test')).toBe('yes');
    expect(server.connections).toHaveLength(2);
    expect(await asker([server.port], { tls: () => Promise.resolve({ kind: 'demands', demands: [demand('required')] }) }).ask('bob@y.test')).toBe('temporary');
    expect(await asker([server.port], { tls: () => Promise.resolve({ kind: 'refused', reply: '550 5.7.10 no' }) }).ask('bob@y.test')).toBe('temporary');
  });

  it('is called from the first local address that can be used, and not at all where there is none of its family', async () => {
    const server = await inner();
    const from = (...sources: readonly (string | undefined)[]) => ({ sources: ({ ip }: Host, destination: string) => (ip === '127.0.0.1' && destination === 'y.test' ? sources : [undefined]) });
    expect(await asker([server.port], from('192.0.2.66', '127.0.0.9')).ask('bob@y.test')).toBe('yes');
    expect(server.connections.map(({ socket }) => socket.remoteAddress)).toEqual(['127.0.0.9']);
    expect(await asker([server.port], from('192.0.2.66')).ask('bob@y.test')).toBe('temporary');
    expect(await asker([server.port], from()).ask('bob@y.test')).toBe('temporary');
    expect(server.connections).toHaveLength(1);
  });

  it('is given 20 seconds, or less, and then let go', async () => {
    const server = await inner({ RCPT: { silent: true } });
    const { ask, troubles } = asker([server.port], { time: 50, open: smtpClient({ timeouts: { ...PATIENT, rcpt: 300 } }) });
    expect(await ask('bob@y.test')).toBe('temporary');
    await until('it is let go', 5000, () => server.connections[0]?.socket.readableEnded === true);
    expect(troubles).toEqual([]);
  });

  it('hears nothing of a question that came too late to be put', async () => {
    const server = await inner();
    let go: (() => void) | undefined;
    const slow = { time: 20, hosts: () => new Promise<void>((resolve) => (go = resolve)).then(() => ({ kind: 'hosts' as const, hosts: [hostAt(server.port)] })) };
    expect(await asker([], slow).ask('bob@y.test')).toBe('temporary');
    go?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.connections).toEqual([]);
  });

  it('hears a non-ASCII domain in A-labels', async () => {
    const server = await inner();
    expect(await asker([server.port], { table: () => tableOf('*, inner.test, 25') }).ask('Bob@日本.test')).toBe('yes');
    expect(server.heard[2]).toBe('RCPT TO:<Bob@xn--wgv71a.test>');
  });
});

describe('a recipient at a gateway that wants an access token', () => {
  const table = () => tableOf('y.test, inner.test, 2525, m365');
  const token = (secret: string, renew?: () => Promise<ClientCredentials | undefined>): ClientCredentials => ({ mechanism: 'any', user: 'ann', secret, token: true, ...(renew && { renew }) });

  it('is asked about with it, and with a fresh one when it was taken back', async () => {
    const fresh = Buffer.from('user=ann\x01auth=Bearer fresh\x01\x01').toString('base64');
    const server = await stage.server({ AUTH: (line) => (line.endsWith(fresh) ? '235 2.7.0 ok' : '535 5.7.8 expired') }, { extensions: ['AUTH XOAUTH2'] });
    expect(await asker([server.port], { table, credentials: async () => token('stale', async () => token('fresh')) }).ask('bob@y.test')).toBe('yes');
    expect(server.connections).toHaveLength(2);
  });

  it('is a matter of time while there is none, which has been told already', async () => {
    const server = await inner();
    const { ask, troubles } = asker([server.port], { table, credentials: () => Promise.reject(new LoginUnavailable('454 4.7.0 No access token for the gateway')) });
    expect([await ask('bob@y.test'), troubles, server.connections]).toEqual(['temporary', [], []]);
  });
});

describe('a recipient whose gateway cannot be asked', () => {
  it('is a matter of time: no line fits, no address, no credentials', async () => {
    const server = await inner();
    const login = { table: () => tableOf('y.test, inner.test, 2525, isp') };
    expect(await asker([server.port]).ask('bob@z.test')).toBe('temporary');
    expect(await asker([server.port], { hosts: () => Promise.resolve({ kind: 'refused', reply: '550 5.1.2 no such host' }) }).ask('bob@y.test')).toBe('temporary');
    expect(await asker([server.port], login).ask('bob@y.test')).toBe('temporary');
    expect(server.connections).toEqual([]);
  });

  it('is a matter of time and of the record when this server is at fault', async () => {
    const { ask, troubles } = asker([], { table: () => Promise.reject(new Error('the views are away')) });
    expect(await ask('bob@y.test')).toBe('temporary');
    expect(troubles.map(String)).toEqual(['Error: the views are away']);
  });
});
