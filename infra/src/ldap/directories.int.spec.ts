import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { parseServer } from '@kiroku/domain/routing/ldap.js';
import { DEFAULT_FILTER, parseTemplate } from '@kiroku/domain/routing/ldap-filter.js';
import { fixedClock } from '../ids/ids.js';
import { freePorts } from '../rig/ports.js';
import { haveSlapd, person, type Slapd, startSlapd } from '../rig/remote/slapd.js';
import { makeCertificate } from '../rig/test-ca.js';
import { type AskableDirectory, LdapDirectories } from './directories.js';

const clock = fixedClock(1_767_571_200_000);
const ODD = ['*@x.test', 'o)(uid=*@x.test', 'b\\2ac@x.test'];
let slapd: Slapd | undefined;
let away: number;
const opened: LdapDirectories[] = [];

beforeAll(async () => {
  const many = Array.from({ length: 200 }, (_, i) => person(`u${i}`, `u${i}@x.test`)).join('');
  const twice = person('two1', 'twice@x.test') + person('two2', 'twice@x.test');
  const odd = ODD.map((mail, i) => person(`odd${i}`, mail)).join('');
  away = ((await freePorts(1)) as [number])[0];
  if (!haveSlapd()) return;
  slapd = await startSlapd({
    entries: person('ann', 'Ann@x.test') + person('kiroku', 'kiroku@x.test') + many + twice + odd,
    settings: ['access to attrs=userPassword by anonymous auth by * none', 'access to * by users read by anonymous auth', 'sizelimit 100'],
  });
}, 60_000);
afterEach(() => {
  for (const directory of opened.splice(0)) directory.close();
});
afterAll(() => slapd?.close());

/** The server, where there is one. */
const there = (): Slapd => slapd as Slapd;

/** A directory, what it is asked through, and what was said about it. */
function directory(more: Partial<Omit<AskableDirectory, 'servers'>> & { servers?: readonly string[] } = {}) {
  const { servers = [`ldap://127.0.0.1:${slapd?.port ?? away}`], ...rest } = more;
  const settings = {
    asked: {
      name: 'ad', revision: 1, plain: 'loopback', bindDn: 'uid=kiroku,dc=x,dc=test', secret: 'kiroku-secret', baseDn: 'dc=x,dc=test', ca: '', template: parseTemplate(DEFAULT_FILTER),
      servers: servers.map((text) => parseServer(text) as NonNullable<ReturnType<typeof parseServer>>), ...rest,
    } as AskableDirectory | undefined,
  };
  const troubles: string[] = [];
  const directories = new LdapDirectories(async () => settings.asked, clock, (error) => troubles.push((error as Error).message));
  opened.push(directories);
  return { settings, troubles, ask: (address: string, revision = 1) => directories.verdict(address, { name: 'ad', revision }) };
}

describe('an LDAP directory that nobody can ask', () => {
  it('answers nothing when it was removed', async () => {
    const { ask, settings } = directory();
    settings.asked = undefined;
    expect(await ask('ann@x.test')).toBe('temporary');
  });

  it('answers nothing while no server is there, and says once of each', async () => {
    const { ask, troubles } = directory({ servers: [`ldaps://127.0.0.1:${away}`, `ldap://127.0.0.1:${away}`] });
    expect([await ask('ann@x.test'), await ask('bob@x.test')]).toEqual(['temporary', 'temporary']);
    clock.advance(10_000);
    expect(await ask('ann@x.test')).toBe('temporary');
    expect(troubles).toEqual([expect.stringMatching(/^LDAP directory ad: ldaps:.* cannot be reached/), expect.stringMatching(/^LDAP directory ad: ldap:.* cannot be reached/)]);
  });
});

if (haveSlapd()) describe('an LDAP directory', () => {
  it('knows who is in it', async () => {
    const { ask, troubles } = directory();
    expect(await Promise.all(['ann@x.test', 'bob@x.test', 'twice@x.test', 'u7@x.test'].map((a) => ask(a)))).toEqual(['yes', 'no', 'yes', 'yes']);
    expect(troubles).toEqual([]);
  });

  it('is asked for just the address, whatever it holds', async () => {
    const { ask, troubles } = directory({ template: parseTemplate('(mail={address})') });
    expect(await Promise.all(ODD.map((a) => ask(a)))).toEqual(['yes', 'yes', 'yes']);
    expect(await Promise.all(['u*@x.test', 'x)(uid=*', 'x)(|(uid=*', 'a\\75@x.test', 'アン@x.test'].map((a) => ask(a)))).toEqual(Array.from({ length: 5 }, () => 'no'));
    expect(troubles).toEqual([]);
  });

  it('understands every kind of filter', async () => {
    const all = '(&(objectClass=*)(mail=*{local}*)(!(sn=nobody))(|(cn:caseIgnoreMatch:={local})(cn>=zzz)(cn<=000)(cn~=zzz))(uid={local}))';
    const { ask } = directory({ template: parseTemplate(all) });
    expect(await Promise.all(['u12@x.test', 'nobody@x.test'].map((a) => ask(a)))).toEqual(['yes', 'no']);
  });

  it('is asked many questions at once', async () => {
    const { ask } = directory();
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(`u${i}@x.test`)));
    expect(answers).toEqual(Array.from({ length: 300 }, (_, i) => (i < 200 ? 'yes' : 'no')));
  });

  it.each([['ldaps', 'never'], ['ldap', 'never']] as const)('is asked over %s with a certificate of an authority that was named', async (scheme, plain) => {
    const servers = [`${scheme}://127.0.0.1:${scheme === 'ldaps' ? there().tlsPort : there().port}`];
    const trusting = directory({ servers, plain, ca: there().ca.cert });
    expect([await trusting.ask('ann@x.test'), await trusting.ask('bob@x.test'), trusting.troubles]).toEqual(['yes', 'no', []]);
    for (const ca of ['', (await makeCertificate({ commonName: 'Another', ca: true })).cert]) {
      const wary = directory({ servers, plain, ca });
      expect(await wary.ask('ann@x.test')).toBe('temporary');
      expect(wary.troubles).toEqual([expect.stringContaining('no trusted TLS')]);
    }
  });

  it('takes nobody in while the password is wrong, and says so once', async () => {
    const { ask, troubles, settings } = directory({ secret: 'wrong-secret' });
    expect([await ask('ann@x.test'), await ask('bob@x.test'), await ask('ann@x.test')]).toEqual(['temporary', 'temporary', 'temporary']);
    expect(troubles).toEqual([expect.stringMatching(/^LDAP directory ad: ldap:\/\/127\.0\.0\.1:\d+: the LDAP server refuses the bind DN or its password/)]);
    expect(troubles.join()).not.toContain('wrong-secret');
    settings.asked = { ...(settings.asked as AskableDirectory), secret: 'kiroku-secret', revision: 2 };
    expect(await ask('ann@x.test', 2)).toBe('yes');
  });

  it.each([
    ['a base that is not there', { baseDn: 'dc=y,dc=test' }, 'base DN'],
    ['a base that is no DN', { baseDn: 'nonsense' }, 'base DN'],
    ['a secret of another server key', { secret: undefined }, 'does not open'],
    ['nobody to bind as', { bindDn: '', secret: '' }, 'may not search (result 50)'],
  ])('answers nothing with %s', async (_, wrong, words) => {
    const { ask, troubles } = directory(wrong);
    expect([await ask('ann@x.test'), await ask('bob@x.test')]).toEqual(['temporary', 'temporary']);
    expect(troubles).toEqual([expect.stringContaining(words)]);
  });

});
if (haveSlapd()) describe('a server that is away', () => {
  it('is left for the next one, and said once', async () => {
    const { ask, troubles } = directory({ servers: [`ldap://127.0.0.1:${away}`, `ldap://127.0.0.1:${there().port}`] });
    expect([await ask('ann@x.test'), await ask('bob@x.test')]).toEqual(['yes', 'no']);
    expect(troubles).toEqual([expect.stringMatching(/cannot be reached .*ECONNREFUSED/)]);
  });

  it('is asked again when it is back, 10 seconds later', async () => {
    const { ask, troubles } = directory();
    expect(await ask('ann@x.test')).toBe('yes');
    await there().stop();
    expect([await ask('ann@x.test'), await ask('u1@x.test')]).toEqual(['temporary', 'temporary']);
    await there().start();
    clock.advance(9_999);
    expect(await ask('ann@x.test')).toBe('temporary');
    clock.advance(1);
    expect([await ask('ann@x.test'), await ask('bob@x.test')]).toEqual(['yes', 'no']);
    expect(troubles).toEqual([expect.stringContaining('cannot be reached')]);
  });

  it('that only closed an idle connection is asked at once', async () => {
    const { ask, troubles } = directory();
    expect(await ask('ann@x.test')).toBe('yes');
    await there().stop();
    await there().start();
    expect(await ask('bob@x.test')).toBe('no');
    expect(troubles).toEqual([]);
  });
});
