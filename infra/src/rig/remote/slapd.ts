import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../ports.js';
import { makeCertificate, type Pair } from '../test-ca.js';
import { daemon, end, which } from './programs.js';
import { listening } from './remote-server.js';

/** OpenLDAP's server can run here. */
export const haveSlapd = (): boolean => which('slapd') !== undefined;

export interface SlapdOptions {
  /** LDIF of the entries below `dc=x,dc=test`, which is there. */
  readonly entries: string;
  /** slapd.conf beyond what makes it run here. */
  readonly settings?: readonly string[];
}

/** An OpenLDAP server of its own: own configuration, data and certificate, two ports of 127.0.0.1. */
export interface Slapd {
  readonly port: number;
  /** TLS from the first byte; the certificate is for 127.0.0.1. */
  readonly tlsPort: number;
  /** Who signed its certificate. */
  readonly ca: Pair;
  /** The data stays. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it for good. */
  close(): Promise<void>;
}

export const SLAPD_ROOT = { dn: 'cn=root,dc=x,dc=test', password: 'root-secret' } as const;

/** @throws Error when slapd does not start. */
export async function startSlapd({ entries, settings = [] }: SlapdOptions): Promise<Slapd> {
  const base = mkdtempSync(join(tmpdir(), 'slapd-'));
  chmodSync(base, 0o700);
  const ca = await makeCertificate({ commonName: 'Directory CA', ca: true });
  const own = await makeCertificate({ names: ['127.0.0.1'], issuer: ca });
  const at = (name: string): string => join(base, name);
  mkdirSync(at('data'));
  for (const [name, text] of [['ca.pem', ca.cert], ['own.pem', own.cert], ['own.key', own.key]] as const) writeFileSync(at(name), text, { mode: 0o600 });
  writeFileSync(at('slapd.conf'), [
    ...['core', 'cosine', 'inetorgperson'].map((schema) => `include /etc/ldap/schema/${schema}.schema`),
    `pidfile ${at('pid')}`, 'modulepath /usr/lib/ldap', 'moduleload back_mdb',
    `TLSCACertificateFile ${at('ca.pem')}`, `TLSCertificateFile ${at('own.pem')}`, `TLSCertificateKeyFile ${at('own.key')}`,
    'database mdb', 'suffix "dc=x,dc=test"', `rootdn "${SLAPD_ROOT.dn}"`, `rootpw ${SLAPD_ROOT.password}`, `directory ${at('data')}`, 'dbnosync', ...settings, '',
  ].join('\n'));
  writeFileSync(at('entries.ldif'), `dn: dc=x,dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: x\no: x\n\n${entries}\n`);
  execFileSync(which('slapadd') ?? 'slapadd', ['-q', '-f', at('slapd.conf'), '-l', at('entries.ldif')], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  const [port, tlsPort] = (await freePorts(2)) as [number, number];
  let child: ReturnType<typeof daemon> | undefined;
  const start = async (): Promise<void> => {
    child = daemon(which('slapd') ?? 'slapd', ['-f', at('slapd.conf'), '-h', `ldap://127.0.0.1:${port}/ ldaps://127.0.0.1:${tlsPort}/`, '-d', '0']);
    await listening(child, '127.0.0.1', port, 'slapd');
  };
  const stop = async (): Promise<void> => {
    if (child) await end(child);
    child = undefined;
  };
  const close = async (): Promise<void> => {
    await stop();
    rmSync(base, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return { port, tlsPort, ca, start, stop, close };
}

/** LDIF of a person. */
export const person = (uid: string, mail: string): string =>
  `dn: uid=${uid},dc=x,dc=test\nobjectClass: inetOrgPerson\nuid: ${uid}\ncn: ${uid}\nsn: ${uid}\nmail: ${mail}\nuserPassword: ${uid}-secret\n\n`;
