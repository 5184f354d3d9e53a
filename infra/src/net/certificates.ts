import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContext } from 'node:tls';
import type { Clock } from '@kiroku/domain/kernel/clock.js';
import { readIfThere, readOrCreate } from '../auth/secret-file.js';
import { newKey, selfSigned } from './self-signed.js';
import { secureContext, type TlsSource } from './tls-source.js';

export interface CertificateOptions {
  /** Holds `default.crt` and `default.key`, and `<domain>.crt` and `<domain>.key` for clients that ask for that name. PEM. */
  readonly folder: string;
  /** For the self-signed certificate that is made when there is no default. */
  readonly hostname: string;
  readonly clock: Clock;
  /** Told once of each broken, missing or expired file, and again when it has changed and is still so. */
  readonly trouble: (error: Error) => void;
  /** ms between looks at the folder; default 5 s, 0 = look only when `reload` is called. */
  readonly interval?: number;
}

/** For health checks and the administrator; no secrets. */
export interface CertificateFacts {
  /** File name without extension. */
  readonly name: string;
  readonly subject: string;
  /** The DNS names it is good for, lower case. */
  readonly names: readonly string[];
  /** Epoch ms. */
  readonly expiresAt: number;
  /** SHA-256, hex pairs with colons. */
  readonly fingerprint: string;
}

interface Loaded {
  /** Size, time and inode of both files: changes when they do. */
  readonly stamp: string;
  readonly facts: CertificateFacts;
  readonly context: SecureContext;
}

/**
 * The certificates of all listeners. Renewed files are taken up within seconds, without restart; while new ones are broken
 * the old ones stay. An expired certificate is used on: most mail servers do not look, and none would talk to us without one.
 */
export class Certificates implements TlsSource {
  private readonly loaded = new Map<string, Loaded>();
  /** What each name asked for gets: file names first, then the names inside the certificates. */
  private byName = new Map<string, SecureContext>();
  /** Trouble told, by file name: stamp and words. */
  private readonly told = new Map<string, string>();
  private timer: NodeJS.Timeout | undefined;
  private reloading: Promise<void> | undefined;

  private constructor(private readonly options: CertificateOptions) {}

  /** Makes a self-signed default when there is none; processes that start at once agree on one. @throws when the folder cannot be read or written. */
  static async open(options: CertificateOptions): Promise<Certificates> {
    const certificates = new Certificates(options);
    await certificates.makeDefault();
    await certificates.reload();
    if (!certificates.loaded.has('default')) await certificates.standIn();
    const interval = options.interval ?? 5000;
    if (interval > 0) {
      certificates.timer = setInterval(() => void certificates.reload(), interval);
      certificates.timer.unref();
    }
    return certificates;
  }

  contextOf(name: string | undefined): SecureContext {
    const wanted = name?.toLowerCase().replace(/\.$/, '') ?? '';
    return this.byName.get(wanted) ?? this.byName.get(wanted.replace(/^[^.]*/, '*')) ?? this.default.context;
  }

  get all(): readonly CertificateFacts[] {
    return [...this.loaded.values()].map(({ facts }) => facts);
  }

  /** Epoch ms at which the first of them expires. */
  get expiresAt(): number {
    return Math.min(...this.all.map((facts) => facts.expiresAt));
  }

  /** Looks at the folder now. Never throws: what is wrong is told to `trouble`. */
  reload(): Promise<void> {
    this.reloading ??= this.read().finally(() => {
      this.reloading = undefined;
    });
    return this.reloading;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private get default(): Loaded {
    const loaded = this.loaded.get('default');
    if (!loaded) throw new Error('no default certificate');
    return loaded;
  }

  private async makeDefault(): Promise<void> {
    const { folder, hostname, clock } = this.options;
    if ((await readIfThere(join(folder, 'default.crt'))) !== undefined) return;
    // First the key: whoever makes the certificate makes it for the key that won, so the two always fit.
    const key = await readOrCreate(join(folder, 'default.key'), 0o600, newKey);
    try {
      await readOrCreate(join(folder, 'default.crt'), 0o644, () => selfSigned(hostname, key, clock.now()));
    } catch (error) {
      this.tell('default', '', `cannot make tls/default.crt: ${(error as Error).message}`);
    }
  }

  /** The default's files are broken: TLS with a certificate that nobody trusts is better than none. Kept in memory only. */
  private async standIn(): Promise<void> {
    const { hostname, clock } = this.options;
    const key = await newKey();
    this.loaded.set('default', load('default', await selfSigned(hostname, key, clock.now()), key, ''));
    this.index();
  }

  private async read(): Promise<void> {
    try {
      const names = await this.namesInFolder();
      for (const name of names) await this.readPair(name);
      for (const name of this.loaded.keys()) if (name !== 'default' && !names.includes(name)) this.loaded.delete(name);
      this.index();
    } catch (error) {
      this.tell('', '', `cannot read ${this.options.folder}: ${(error as Error).message}`);
    }
  }

  private async namesInFolder(): Promise<readonly string[]> {
    const files = await readdir(this.options.folder);
    return files.filter((file) => file.endsWith('.crt')).map((file) => file.slice(0, -'.crt'.length).toLowerCase());
  }

  private async readPair(name: string): Promise<void> {
    const [crt, key] = [join(this.options.folder, `${name}.crt`), join(this.options.folder, `${name}.key`)];
    let stamp = '';
    try {
      stamp = await stampOf(crt, key);
      const old = this.loaded.get(name);
      const loaded = old?.stamp === stamp ? old : load(name, (await readIfThere(crt)) ?? '', (await readIfThere(key)) ?? '', stamp);
      this.loaded.set(name, loaded);
      if (loaded.facts.expiresAt > this.options.clock.now()) this.told.delete(name);
      else this.tell(name, stamp, `tls/${name}.crt has expired at ${new Date(loaded.facts.expiresAt).toISOString()}`);
    } catch (error) {
      this.tell(name, stamp, `tls/${name}.crt or .key is broken: ${(error as Error).message}`);
    }
  }

  private index(): void {
    const byName = new Map<string, SecureContext>();
    for (const { facts, context } of this.loaded.values()) if (facts.name !== 'default') byName.set(facts.name, context);
    for (const { facts, context } of this.loaded.values())
      for (const name of facts.names) if (!byName.has(name)) byName.set(name, context);
    this.byName = byName;
  }

  private tell(name: string, stamp: string, words: string): void {
    if (this.told.get(name) === stamp + words) return;
    this.told.set(name, stamp + words);
    this.options.trouble(new Error(words));
  }
}

/** @throws when they are no PEM, or do not belong together. */
function load(name: string, crt: string, key: string, stamp: string): Loaded {
  const certificate = new X509Certificate(crt);
  if (!certificate.checkPrivateKey(createPrivateKey(key))) throw new Error('the key belongs to another certificate');
  const names = [...(certificate.subjectAltName ?? '').matchAll(/DNS:([^,\s"]+)/g)].map(([, dns]) => (dns ?? '').toLowerCase());
  const { subject, fingerprint256: fingerprint } = certificate;
  const expiresAt = certificate.validToDate.getTime();
  return { stamp, context: secureContext({ cert: crt, key }), facts: { name, subject, names, expiresAt, fingerprint } };
}

async function stampOf(...paths: readonly string[]): Promise<string> {
  const stats = await Promise.all(paths.map((path) => stat(path)));
  return stats.map(({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`).join(', ');
}
