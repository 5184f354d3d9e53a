import { describe, expect, it } from '@jest/globals';
import type { TlsOutcome } from '@kiroku/domain/delivery/queue-events.js';
import { DnsTrouble } from '@kiroku/domain/routing/dns.js';
import type { Host, Route } from '@kiroku/domain/routing/hosts.js';
import { type ClientConversation, ConnectFailed, LoginUnavailable, type Target, type TlsDemand } from '@kiroku/domain/smtp-client/types.js';
import { planTls } from '@kiroku/domain/tls-policy/demands.js';
import { Connector, hostKey } from './connector.js';
import type { OutboundPorts } from './ports.js';

const MX: Route = { kind: 'mx', domain: 'y.test' };
const host = (name: string, secure = false): Host => ({ name, ip: `ip-${name}`, port: 25, preference: 10, secure });
const ANY: TlsDemand = { mode: 'opportunistic', verify: 'no', names: ['mx'] };
const NOBODY = new Set<string>();

const tlsOf = (demands: readonly TlsDemand[], failures: string[] = []): OutboundPorts['tls'] => ({
  demandsFor: async () => ({ kind: 'demands', demands, subject: { domain: 'x.test', policy: 'no-policy-found' } }),
  failed: (host, failure) => void failures.push(`${host.name} ${failure}`),
});
/** As with neither DANE nor MTA-STS. */
const planned: OutboundPorts['tls'] = {
  demandsFor: async (question) => planTls({ ...question, row: undefined, dane: { kind: 'none' }, sts: {}, reports: false }), failed: () => undefined,
};

/** A connector in a world where `fate` says what happens at each target; what was tried is in `tried`. */
function made(fate: (target: Target) => ConnectFailed | Error | undefined, changes: Partial<OutboundPorts> = {}) {
  const tried: string[] = [];
  let now = 0;
  const ports = {
    engine: { clock: { now: () => now } }, trouble: () => undefined, helo: () => 'here', pool: () => undefined, sources: () => [], chance: () => 0, credentials: async () => undefined,
    hosts: async () => ({ kind: 'hosts', hosts: ['a', 'b', 'c'].map((n) => host(n)) }), tls: tlsOf([ANY]),
    open: async (target: Target) => {
      tried.push(`${target.name} ${target.tls.mode}`);
      const no = fate(target);
      if (no) throw no;
      return { target, tls: target.tls.mode === 'off' ? undefined : { verified: target.tls.verify }, quit: async () => undefined } as unknown as ClientConversation;
    },
    ...changes,
  } as unknown as OutboundPorts;
  return { connector: new Connector(ports), tried, advance: (ms: number) => (now += ms) };
}
const away = new ConnectFailed('connect', 'deferred', 'no-answer', '451 4.4.1 Refused');
const goAway = new ConnectFailed('greeting', 'refused', 'refused', '554 5.3.2 No mail here');
const badTls = new ConnectFailed('STARTTLS', 'deferred', 'line', '454 4.7.0 Handshake failed', true);

describe('opening a conversation', () => {
  it('tries the hosts in order and remembers for a minute which failed', async () => {
    const { connector, tried, advance } = made(({ name }) => (name === 'a' ? away : undefined));
    expect(await connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ kind: 'open', host: { name: 'b' } });
    expect(await connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ host: { name: 'b' } });
    advance(60_000);
    await connector.open({ route: MX, requireTls: false }, NOBODY);
    expect(tried.map((t) => t[0])).toEqual(['a', 'b', 'b', 'a', 'b']);
  });

  it('leaves out hosts that are to be avoided, and says so when none is left', async () => {
    const { connector, tried } = made(() => undefined);
    expect(await connector.open({ route: MX, requireTls: false }, new Set([hostKey(host('a'))]))).toMatchObject({ host: { name: 'b' } });
    expect(await connector.open({ route: MX, requireTls: false }, new Set(['a', 'b', 'c'].map((n) => hostKey(host(n)))))).toMatchObject({ kind: 'failed', failure: { outcome: 'deferred' } });
    expect(tried).toHaveLength(1);
  });

  it('refuses only when all refuse; otherwise the last that leaves hope is on record', async () => {
    const all = made(() => goAway);
    expect(await all.connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ failure: { outcome: 'refused', reply: '554 5.3.2 No mail here', host: { name: 'c' } } });
    const some = made(({ name }) => (name === 'c' ? goAway : away));
    expect(await some.connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ failure: { outcome: 'deferred', cause: 'no-answer', host: { name: 'b' } } });
  });

  it('tries no more than five hosts', async () => {
    const { connector, tried } = made(() => away, { hosts: async () => ({ kind: 'hosts', hosts: Array.from({ length: 50 }, (_, n) => host(`h${n}`)) }) });
    await connector.open({ route: MX, requireTls: false }, NOBODY);
    expect(tried).toHaveLength(5);
  });

  it('falls back to the next mode of TLS only when the encryption failed', async () => {
    const demands: readonly TlsDemand[] = [{ ...ANY, mode: 'required' }, { ...ANY, mode: 'off' }];
    const failures: string[] = [];
    const reports: TlsOutcome[] = [];
    const tls = made(({ tls: { mode } }) => (mode === 'required' ? badTls : undefined), { tls: tlsOf(demands, failures) });
    expect(await tls.connector.open({ route: MX, requireTls: false }, NOBODY, (outcome) => reports.push(outcome))).toMatchObject({ kind: 'open' });
    expect(failures).toEqual(['a other']);
    expect(reports).toMatchObject([{ domain: 'x.test', host: 'a', failure: 'starttls-not-supported' }]);
    expect(tls.tried).toEqual(['a required', 'a off']);
    const gone = made(() => away, { tls: tlsOf(demands) });
    await gone.connector.open({ route: MX, requireTls: false }, NOBODY);
    expect(gone.tried).toEqual(['a required', 'b required', 'c required']);
  });

  it('does not bounce mail for a wrong password at the gateway', async () => {
    const { connector } = made(() => new ConnectFailed('AUTH', 'refused', 'refused', '535 5.7.8 Wrong'));
    expect(await connector.open({ route: { kind: 'gateway', host: 'g', port: 25, implicitTls: false }, requireTls: false }, NOBODY)).toMatchObject({ failure: { outcome: 'deferred', cause: 'line', reply: '535 5.7.8 Wrong' } });
  });

  it('does not talk to a gateway without the credentials that it needs', async () => {
    const { connector, tried } = made(() => undefined);
    const opened = await connector.open({ route: { kind: 'gateway', host: 'g', port: 25, implicitTls: false, credentials: 'lost' }, requireTls: false }, NOBODY);
    expect(opened).toMatchObject({ kind: 'failed', failure: { outcome: 'deferred', phase: 'policy' } });
    expect(tried).toEqual([]);
  });

  it('tells why there is no token to log in with, and lets the mail wait', async () => {
    const troubles: unknown[] = [];
    const credentials = () => Promise.reject(new LoginUnavailable('454 4.7.0 No access token for the gateway: p.test refuses: invalid_client'));
    const { connector, tried } = made(() => undefined, { credentials, trouble: (error) => void troubles.push(error) });
    const opened = await connector.open({ route: { kind: 'gateway', host: 'g', port: 25, implicitTls: false, credentials: 'm365' }, requireTls: false }, NOBODY);
    expect(opened).toMatchObject({ kind: 'failed', failure: { outcome: 'deferred', cause: 'line', phase: 'policy', reply: '454 4.7.0 No access token for the gateway: p.test refuses: invalid_client' } });
    expect([tried, troubles]).toEqual([[], []]);
  });

  it('stops at this machine’s own trouble, and takes surprises for it', async () => {
    for (const no of [new ConnectFailed('connect', 'deferred', 'local', '451 4.3.0 No file descriptors'), new Error('surprise')]) {
      const { connector, tried } = made(() => no);
      expect(await connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ failure: { cause: 'local' } });
      expect(tried).toHaveLength(1);
    }
  });

  describe('from a local address', () => {
    const four = (name: string): Host => ({ ...host(name), ip: '192.0.2.25' });
    const six = (name: string): Host => ({ ...host(name), ip: '2001:db8::25' });
    const sources: (string | undefined)[] = [];
    const useless = (...bad: readonly string[]) => (target: Target): ConnectFailed | undefined => {
      sources.push(target.source);
      return target.source !== undefined && bad.includes(target.source) ? new ConnectFailed('connect', 'deferred', 'source', `451 4.3.0 ${target.source}`) : undefined;
    };
    const calls = async (connector: Connector, pool?: readonly string[]) => {
      sources.length = 0;
      const opened = await connector.open({ route: MX, requireTls: false, ...(pool && { pool }) }, NOBODY);
      return [opened.kind === 'open' ? opened.host.name : opened.failure.reply, ...sources];
    };
    const hosts = async () => ({ kind: 'hosts', hosts: [six('a'), four('b')] }) as const;

    it('takes one of the host’s family, the first of those set for all', async () => {
      const { connector } = made(useless(), { hosts, sources: () => ['192.0.2.1', '192.0.2.2', '2001:db8::1'] });
      expect(await calls(connector)).toEqual(['a', '2001:db8::1']);
      expect(await calls(made(useless(), { hosts, sources: () => ['192.0.2.1'] }).connector)).toEqual(['a', undefined]);
    });

    it('takes any of a pool, by chance, and calls no host that it has no address for', async () => {
      const pool = ['192.0.2.1', '192.0.2.2', '192.0.2.3'];
      for (const [chance, source] of [[0, '192.0.2.1'], [0.5, '192.0.2.2'], [0.999, '192.0.2.3']] as const)
        expect(await calls(made(useless(), { hosts, chance: () => chance }).connector, pool)).toEqual(['b', source]);
    });

    it('takes the next one where one cannot be used, and that one last for a minute', async () => {
      const { connector, advance } = made(useless('192.0.2.1'), { hosts });
      expect(await calls(connector, ['192.0.2.1', '192.0.2.2'])).toEqual(['b', '192.0.2.1', '192.0.2.2']);
      expect(await calls(connector, ['192.0.2.1', '192.0.2.2'])).toEqual(['b', '192.0.2.2']);
      advance(60_000);
      expect(await calls(connector, ['192.0.2.1', '192.0.2.2'])).toEqual(['b', '192.0.2.1', '192.0.2.2']);
    });

    it('says which one it was when none can be used, and goes on to hosts of the other family', async () => {
      const both = ['192.0.2.1', '2001:db8::1'];
      expect(await calls(made(useless('2001:db8::1'), { hosts }).connector, both)).toEqual(['b', '2001:db8::1', '192.0.2.1']);
      const { connector } = made(useless(...both), { hosts });
      expect(await connector.open({ route: MX, requireTls: false, pool: both }, NOBODY)).toMatchObject({ failure: { outcome: 'deferred', cause: 'local', source: true, reply: '451 4.3.0 192.0.2.1', host: { name: 'b' } } });
      expect(await calls(made(useless(), { hosts: async () => ({ kind: 'hosts', hosts: [six('a')] }) }).connector, ['192.0.2.1'])).toEqual(['451 4.3.5 The pool of local addresses has none of the family of any host']);
    });
  });

  it('puts off when the DNS does not answer, and refuses when it says never', async () => {
    const silent = made(() => undefined, { hosts: async () => { throw new DnsTrouble('timeout'); } });
    expect(await silent.connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ failure: { outcome: 'deferred', cause: 'no-answer', phase: 'dns' } });
    const never = made(() => undefined, { hosts: async () => ({ kind: 'refused', reply: '556 5.1.10 Null MX' }) });
    expect(await never.connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ failure: { outcome: 'refused', cause: 'refused', reply: '556 5.1.10 Null MX' } });
  });

  it('sends nothing in plain text because the rules for TLS could not be read', async () => {
    const table = made(() => undefined, { tls: { ...planned, demandsFor: async () => { throw new Error('the database is away'); } } });
    expect(await table.connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ failure: { outcome: 'deferred', cause: 'local' } });
    const dane = made(() => undefined, { tls: { ...planned, demandsFor: async () => ({ kind: 'deferred', reply: '451 4.7.5 no TLSA answer' }) } });
    expect(await dane.connector.open({ route: MX, requireTls: false }, NOBODY)).toMatchObject({ failure: { outcome: 'deferred', cause: 'no-answer', phase: 'policy' } });
    expect([table.tried, dane.tried]).toEqual([[], []]);
  });
});

describe('a message with REQUIRETLS', () => {
  const refused = { kind: 'failed', failure: { outcome: 'refused', reply: expect.stringContaining('5.7.30') as unknown } };

  it('is shown to no host whose name is not to be trusted', async () => {
    const { connector, tried } = made(() => undefined, { tls: planned });
    expect(await connector.open({ route: MX, requireTls: true }, NOBODY)).toMatchObject(refused);
    expect(tried).toEqual([]);
  });

  it('goes to a host from a validated chain, with a certificate that fits', async () => {
    const { connector } = made(() => undefined, { tls: planned, hosts: async () => ({ kind: 'hosts', hosts: [host('a', true)] }) });
    expect(await connector.open({ route: MX, requireTls: true }, NOBODY)).toMatchObject({ kind: 'open', conversation: { target: { tls: { mode: 'required', verify: 'pkix' } } } });
  });

  it('goes where MTA-STS vouches for the host, and to a configured gateway', async () => {
    const sts: TlsDemand = { mode: 'required', verify: 'mta-sts', names: ['a'] };
    const { connector } = made(() => undefined, { tls: tlsOf([sts]) });
    expect(await connector.open({ route: MX, requireTls: true }, NOBODY)).toMatchObject({ kind: 'open' });
    const gateway = made(() => undefined, { tls: planned });
    expect(await gateway.connector.open({ route: { kind: 'gateway', host: 'g', port: 25, implicitTls: false }, requireTls: true }, NOBODY)).toMatchObject({ kind: 'open' });
  });

  it('is refused when the handshake fails, and put off when nobody answers', async () => {
    const tls = tlsOf([{ mode: 'required', verify: 'mta-sts', names: ['a'] }]);
    expect(await made(() => badTls, { tls }).connector.open({ route: MX, requireTls: true }, NOBODY)).toMatchObject(refused);
    expect(await made(() => away, { tls }).connector.open({ route: MX, requireTls: true }, NOBODY)).toMatchObject({ failure: { outcome: 'deferred', cause: 'no-answer' } });
  });
});
