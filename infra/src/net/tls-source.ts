import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from 'node:tls';
import type { TlsFacts } from '@kiroku/domain/mail/events.js';

/** Where listeners get their certificates. Asked at every handshake, so that a renewed one is used at once. */
export interface TlsSource {
  /** @param name what the client asked for (SNI), undefined when it did not. */
  contextOf(name: string | undefined): SecureContext;
}

/** A context with this server's rules: TLS 1.2 or newer, no renegotiation, PEM in. @throws when certificate and key do not fit. */
export function secureContext(pair: Pick<SecureContextOptions, 'cert' | 'key'>): SecureContext {
  return createSecureContext({ ...pair, minVersion: 'TLSv1.2', honorCipherOrder: true, secureOptions: constants.SSL_OP_NO_RENEGOTIATION });
}

/** Starts the server's side of a handshake. The TLSSocket emits `secure` when it is done, `close` when it failed. */
export function secure(socket: Socket, source: TlsSource): TLSSocket {
  const tls = new TLSSocket(socket, {
    isServer: true,
    secureContext: source.contextOf(undefined),
    SNICallback: (name, done) => done(null, source.contextOf(name)),
  });
  // Without a listener an error would end the process; `close` follows and says enough.
  tls.on('error', () => undefined);
  return tls;
}

export function tlsFactsOf(tls: TLSSocket): TlsFacts {
  return { version: tls.getProtocol() ?? 'unknown', cipher: tls.getCipher().standardName };
}
