import { createPrivateKey, type KeyObject, randomBytes, type webcrypto } from 'node:crypto';

const YEARS = 10;
/** Clients whose clocks are behind must not see a certificate of the future. */
const BACKDATED = 24 * 60 * 60 * 1000;
const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A new EC P-256 key, PKCS #8 in PEM. */
export async function newKey(): Promise<string> {
  const { privateKey } = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const der = await crypto.subtle.exportKey('pkcs8', privateKey);
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/**
 * A certificate that nobody vouches for, so that TLS works from the first start on: for `hostname`, ten years, signed with its own key.
 * @param key EC P-256, PEM. @param now epoch ms. @returns PEM.
 * @throws Error when the key is of another kind.
 */
export async function selfSigned(hostname: string, key: string, now: number): Promise<string> {
  const keys = await keyPair(createPrivateKey(key));
  // Needed once in an installation's life: not worth loading at every start. The library's container needs the polyfill first.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      // RFC 5280 §4.1.2.2: positive, at most 20 octets.
      serialNumber: `01${randomBytes(15).toString('hex')}`,
      name: [{ CN: [hostname.slice(0, 64)] }],
      notBefore: new Date(now - BACKDATED),
      notAfter: new Date(new Date(now).setUTCFullYear(new Date(now).getUTCFullYear() + YEARS)),
      signingAlgorithm: EC,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: hostname }]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    crypto,
  );
  return `${certificate.toString('pem')}\n`;
}

async function keyPair(key: KeyObject): Promise<webcrypto.CryptoKeyPair> {
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('a self-signed certificate needs an EC P-256 key');
  const jwk = key.export({ format: 'jwk' });
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', jwk, EC, false, ['sign']),
    crypto.subtle.importKey('jwk', { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y } as webcrypto.JsonWebKey, EC, true, ['verify']),
  ]);
  return { privateKey, publicKey };
}
