import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fixedClock } from '../ids/ids.js';
import { Certificates } from './certificates.js';
import { newKey, selfSigned } from './self-signed.js';

const NOON = Date.UTC(2026, 5, 1, 12);
let folder: string;
let troubles: string[];
let clock: ReturnType<typeof fixedClock>;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'kiroku-tls-')), 'tls');
  troubles = [];
  clock = fixedClock(NOON);
});
afterEach(() => rm(join(folder, '..'), { recursive: true }));

const open = () =>
  Certificates.open({ folder, hostname: 'mail.x.test', clock, interval: 0, trouble: (error) => troubles.push(error.message) });

/** Files are replaced by rename, as careful tools do. */
async function put(name: string, hostname: string, at = NOON) {
  const key = await newKey();
  for (const [extension, text] of [['crt', await selfSigned(hostname, key, at)], ['key', key]] as const) {
    await writeFile(join(folder, `${name}.${extension}.new`), text);
    await rename(join(folder, `${name}.${extension}.new`), join(folder, `${name}.${extension}`));
  }
}

describe('on first start', () => {
  it('a certificate for the host name is made, with a key that only its owner reads', async () => {
    const certificates = await open();
    const certificate = new X509Certificate(await readFile(join(folder, 'default.crt')));
    expect(certificate.checkHost('mail.x.test')).toBe('mail.x.test');
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect((await stat(join(folder, 'default.key'))).mode & 0o777).toBe(0o600);
    expect(certificates.expiresAt).toBe(Date.UTC(2036, 5, 1, 12));
    expect(certificates.all).toMatchObject([{ name: 'default', subject: 'CN=mail.x.test', names: ['mail.x.test'] }]);
    expect(troubles).toEqual([]);
  });

  it('processes that start at once agree on one', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, open));
    expect(new Set(all.map((certificates) => certificates.all[0]!.fingerprint)).size).toBe(1);
    expect((await readdir(folder)).sort()).toEqual(['default.crt', 'default.key']);
    expect(troubles).toEqual([]);
  });

  it('a crash between key and certificate is made good', async () => {
    await open();
    const key = await readFile(join(folder, 'default.key'), 'utf8');
    await rm(join(folder, 'default.crt'));
    await open();
    expect(await readFile(join(folder, 'default.key'), 'utf8')).toBe(key);
    expect(troubles).toEqual([]);
  });

  it('broken files are reported, left as they are, and stood in for', async () => {
    await open();
    await writeFile(join(folder, 'default.crt'), 'rubbish');
    const certificates = await open();
    expect(troubles).toEqual([expect.stringMatching(/^tls\/default.crt or .key is broken/)]);
    expect(certificates.all).toMatchObject([{ subject: 'CN=mail.x.test' }]);
    expect(await readFile(join(folder, 'default.crt'), 'utf8')).toBe('rubbish');
  });
});

describe('a running server', () => {
  it('takes up a renewed certificate', async () => {
    const certificates = await open();
    const before = certificates.contextOf(undefined);
    await put('default', 'mail.x.test', NOON + 1000);
    await certificates.reload();
    expect(certificates.contextOf(undefined)).not.toBe(before);
    const renewed = certificates.contextOf(undefined);
    await certificates.reload();
    expect(certificates.contextOf(undefined)).toBe(renewed);
  });

  it('keeps the old one while the new one is broken, and says so once', async () => {
    const certificates = await open();
    const old = certificates.contextOf(undefined);
    const key = await readFile(join(folder, 'default.key'));
    await writeFile(join(folder, 'default.key'), await newKey());
    await certificates.reload();
    await certificates.reload();
    expect(certificates.contextOf(undefined)).toBe(old);
    expect(troubles).toEqual(['tls/default.crt or .key is broken: the key belongs to another certificate']);
    await rm(join(folder, 'default.key'));
    await certificates.reload();
    expect(troubles).toHaveLength(2);
    await writeFile(join(folder, 'default.key'), key);
    await certificates.reload();
    expect(troubles).toHaveLength(2);
  });

  it('goes on with an expired one and says so once', async () => {
    const certificates = await open();
    clock.advance(11 * 365 * 86_400_000);
    await certificates.reload();
    await certificates.reload();
    expect(troubles).toEqual(['tls/default.crt has expired at 2036-06-01T12:00:00.000Z']);
    expect(certificates.contextOf(undefined)).toBeDefined();
    expect(certificates.expiresAt).toBeLessThan(clock.now());
  });

  it('gives each name its own: by file name, by the names inside, by wildcard', async () => {
    const certificates = await open();
    await put('y.test', 'mail.y.test');
    await put('many', '*.z.test');
    await certificates.reload();
    const of = (name: string | undefined) => certificates.contextOf(name);
    const names = { y: of('y.test'), z: of('a.z.test'), other: of(undefined) };
    expect(new Set(Object.values(names)).size).toBe(3);
    expect(of('MAIL.Y.test.')).toBe(names.y);
    for (const name of ['b.z.test', 'B.Z.TEST']) expect(of(name)).toBe(names.z);
    for (const name of ['z.test', 'a.b.z.test', '', 'mail.x.test', '../../etc/passwd']) expect(of(name)).toBe(names.other);
    await rm(join(folder, 'y.test.crt'));
    await certificates.reload();
    expect(of('y.test')).toBe(names.other);
    expect(troubles).toEqual([]);
  });

  it('survives a folder that goes away', async () => {
    const certificates = await open();
    await rename(folder, `${folder}-away`);
    await certificates.reload();
    expect(certificates.contextOf(undefined)).toBeDefined();
    expect(troubles).toEqual([expect.stringContaining('cannot read')]);
  });
});

describe('a folder that cannot be written', () => {
  it('stops the start with the reason', async () => {
    await writeFile(folder, 'a file');
    await expect(open()).rejects.toThrow(/ENOTDIR|EEXIST/);
  });
});
