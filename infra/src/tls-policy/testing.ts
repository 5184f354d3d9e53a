import { createPrivateKey } from 'node:crypto';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, type Dns, DnsTrouble, type Mx, type Tlsa } from '@kiroku/domain/routing/dns.js';

/** A DNS of a test's own: what is not written down does not exist; what is `trouble` cannot be asked. */
export class MemoryDns implements Dns {
  /** `txt _mta-sts.x.test`, in order. */
  readonly asked: string[] = [];
  readonly #zone = new Map<string, Answer<unknown> | 'trouble'>();

  set(question: `${'mx' | 'a' | 'aaaa' | 'txt' | 'tlsa'} ${string}`, records: readonly unknown[] | 'trouble', secure = false): this {
    this.#zone.set(question, records === 'trouble' ? records : { kind: 'found', records, secure });
    return this;
  }

  #ask<T>(question: string): Promise<Answer<T>> {
    this.asked.push(question);
    const answer = this.#zone.get(question) ?? ({ kind: 'none', nxdomain: true, secure: false } as const);
    return answer === 'trouble' ? Promise.reject(new DnsTrouble(`SERVFAIL ${question}`)) : Promise.resolve(answer as Answer<T>);
  }
  mx(domain: string): Promise<Answer<Mx>> { return this.#ask(`mx ${domain}`); }
  a(host: string): Promise<Answer<string>> { return this.#ask(`a ${host}`); }
  aaaa(host: string): Promise<Answer<string>> { return this.#ask(`aaaa ${host}`); }
  txt(name: string): Promise<Answer<string>> { return this.#ask(`txt ${name}`); }
  tlsa(name: string): Promise<Answer<Tlsa>> { return this.#ask(`tlsa ${name}`); }
}

/** Certificate and key, PEM. */
export interface Pair { readonly cert: string; readonly key: string }

/** An authority of a test's own. */
export interface TestAuthority {
  /** PEM. */
  readonly ca: string;
  /** For these DNS names, from a day ago on for `days`. */
  issue(names: readonly string[], days?: number): Promise<Pair>;
}

const DAY = 24 * 60 * 60 * 1000;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** @param now epoch ms, the real time: TLS looks at the real clock. */
export async function testAuthority(now: number): Promise<TestAuthority> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const authority = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01', name: 'CN=Test Authority', notBefore: new Date(now - 30 * DAY), notAfter: new Date(now + 30 * DAY), signingAlgorithm: EC, keys,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
    }, crypto);
  let serial = 1;
  return {
    ca: authority.toString('pem'),
    issue: async (names, days = 2) => {
      const own = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
      const certificate = await x509.X509CertificateGenerator.create(
        {
          serialNumber: (++serial).toString(16).padStart(2, '0'), subject: `CN=${names[0] ?? ''}`, issuer: authority.subject,
          notBefore: new Date(now - DAY * Math.max(1, 1 - days)), notAfter: new Date(now + (days - 1) * DAY), signingAlgorithm: EC,
          publicKey: own.publicKey, signingKey: keys.privateKey,
          extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
        }, crypto);
      const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', own.privateKey));
      return { cert: certificate.toString('pem'), key: createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

/** An HTTPS server on a free port of 127.0.0.1. */
export interface TestHttps { readonly port: number; readonly server: Server; close(): Promise<void> }

export async function testHttps(tls: ServerOptions, listener: RequestListener): Promise<TestHttps> {
  const server = createServer(tls, listener);
  // A client that does not like the certificate breaks off.
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server, port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}
