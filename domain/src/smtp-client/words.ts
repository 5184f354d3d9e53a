import { printable } from './reply.js';

/**
 * What this client says where the other server said nothing: in the form of an SMTP reply, code and enhanced code (RFC 3463) in one
 * string so that they cannot disagree. The only place with codes.
 */
export const WORDS = {
  'no-answer': '450 4.4.1 No answer from host',
  'connection-refused': '450 4.4.1 Connection refused by host',
  'unreachable': '450 4.4.1 Host unreachable',
  'crowded': '450 4.4.1 No answer from host so far, and other mail waits',
  'dropped': '450 4.4.2 Connection dropped by host',
  'silent': '450 4.4.2 Host fell silent',
  'garbled': '450 4.5.0 Host does not speak SMTP',
  'unexpected': '450 4.5.0 Unexpected reply',
  'busy': '451 4.3.0 Connection not usable here',
  'local': '451 4.3.0 Trouble on this server',
  'source': '451 4.3.0 Local address cannot be used',
  'content': '451 4.3.0 Message could not be read on this server',
  'wrong-size': '451 4.3.0 Message size differs from what was announced',

  'tls-not-offered': '450 4.7.10 Encryption required but STARTTLS not offered',
  'tls-refused': '450 4.7.5 STARTTLS refused',
  'tls-injection': '450 4.7.5 Plain text injected after STARTTLS',
  'tls-handshake': '450 4.7.5 TLS handshake failed',
  'tls-untrusted': '450 4.7.5 Server certificate not trusted',

  'login-in-plain': '450 4.7.11 Login needs encryption',
  'login-not-offered': '450 4.7.0 Login not offered',
  'login-mechanism': '450 4.7.0 No common login mechanism',
  'no-access-token': '454 4.7.0 No access token for the gateway',

  'too-big': '552 5.3.4 Message too big for host',
  'eight-bit': '554 5.6.3 8-bit message, and host takes 7-bit only',
  'eight-bit-header': '554 5.6.3 8-bit header, and host takes 7-bit only',
  'eight-bit-sealed': '554 5.6.3 8-bit part under a signature or encryption, and host takes 7-bit only',
  'binary': '554 5.6.3 Binary message, and host takes text only',
  'utf8-address': '553 5.6.7 Non-ASCII address, and host does not offer SMTPUTF8',
  'utf8-message': '554 5.6.7 Internationalized message, and host does not offer SMTPUTF8',
  'require-tls': '550 5.7.30 REQUIRETLS support required',
  'require-tls-verified': '550 5.7.30 REQUIRETLS requires a verified TLS connection',
  'bad-sender': '553 5.1.7 Bad sender address',
  'bad-recipient': '553 5.1.3 Bad recipient address',
  'too-many-messages': '450 4.5.3 Host takes no more messages on this connection',
} as const;

/** @param detail what is known besides; made printable, at most 200 characters. Never a secret. */
export const words = (what: keyof typeof WORDS, detail = ''): string => (detail === '' ? WORDS[what] : `${WORDS[what]}: ${printable(detail, 200)}`);
