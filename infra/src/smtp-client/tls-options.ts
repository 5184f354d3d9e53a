import { isIP } from 'node:net';
import { type ConnectionOptions, createSecureContext, DEFAULT_CIPHERS, type SecureContext, type SecureVersion } from 'node:tls';
import type { TlsDemand } from '@kiroku/domain/smtp-client/types.js';

/** Contexts are costly to make (trusted roots); there are as many as there are combinations of versions and rules. */
export class TlsContexts {
  private readonly made = new Map<string, SecureContext>();

  /** @param ca trusted roots in PEM instead of the runtime's own. */
  constructor(private readonly ca?: readonly string[]) {}

  /** @throws when the versions make no sense. */
  options(demand: TlsDemand): ConnectionOptions {
    const [name] = demand.names;
    return {
      secureContext: this.contextFor(demand),
      // Judged afterwards, with all names and all rules: see `verifyPeer`.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(name !== undefined && isIP(name) === 0 && { servername: name.replace(/\.$/, '') }),
    };
  }

  private contextFor({ verify, minVersion, maxVersion }: TlsDemand): SecureContext {
    // An encryption that is weak, where nothing is verified anyway, is better than none; and TLS before 1.2 has no other (OpenSSL's levels).
    const weak = verify === 'no' || minVersion === 'TLSv1' || minVersion === 'TLSv1.1' || maxVersion === 'TLSv1' || maxVersion === 'TLSv1.1';
    const min: SecureVersion = minVersion ?? (maxVersion === 'TLSv1' || maxVersion === 'TLSv1.1' ? maxVersion : 'TLSv1.2');
    const key = `${min} ${maxVersion ?? ''} ${weak}`;
    let context = this.made.get(key);
    if (!context) {
      context = createSecureContext({
        minVersion: min,
        ...(maxVersion !== undefined && { maxVersion }),
        ...(weak && { ciphers: `${DEFAULT_CIPHERS}:@SECLEVEL=0` }),
        ...(this.ca && { ca: [...this.ca] }),
      });
      this.made.set(key, context);
    }
    return context;
  }
}
