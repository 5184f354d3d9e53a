import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateWish {
  /** Subject alternative names; IPv4 addresses are known as such. */
  readonly names?: readonly string[];
  readonly commonName?: string;
  readonly ca?: boolean;
  /** Epoch ms; default from yesterday for ten years. */
  readonly from?: number;
  readonly to?: number;
  /** Who signs; default: the certificate itself. */
  readonly issuer?: Pair;
}

/** A certificate with a new key, for tests. */
export async function makeCertificate(wish: CertificateWish): Promise<Pair> {
  await import('reflect-metadata'); // the library's container needs it
  const x509 = await import('@peculiar/x509');
  const made = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  const key = made.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const publicKey = await crypto.subtle.importKey('spki', made.publicKey.export({ type: 'spki', format: 'der' }), EC, true, ['verify']);
  const signingKey = await privateKey(wish.issuer?.key ?? key);
  const subject = [{ CN: [wish.commonName ?? wish.names?.[0] ?? 'test'] }];
  const issuer = wish.issuer && new x509.X509Certificate(wish.issuer.cert);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: `01${randomBytes(15).toString('hex')}`,
      subject,
      issuer: issuer ? issuer.subject : subject,
      notBefore: new Date(wish.from ?? Date.now() - 86_400_000),
      notAfter: new Date(wish.to ?? Date.now() + 3_650 * 86_400_000),
      signingAlgorithm: EC,
      publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(wish.ca ?? false, undefined, true),
        ...(wish.names ? [new x509.SubjectAlternativeNameExtension(wish.names.map((value) => ({ type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value })))] : []),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
      ],
    },
    crypto,
  );
  return { cert: `${certificate.toString('pem')}\n`, key };
}

async function privateKey(pem: string) {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  return crypto.subtle.importKey('pkcs8', der, EC, false, ['sign']);
}
