import { example, type Examples } from '../kernel/examples.js';
import type { MailFact, SessionFact } from './events.js';

const messageId = '01KE5V1W0000001';
const session = '019b8b3a-0c00-7000-8000-0000000000c1';
const peer = { ip: '192.0.2.7', port: 40_000, helo: 'mail.y.test' };
const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' };

export const mailExamples: Examples<MailFact | SessionFact> = {
  MessageAccepted: [
    example('MessageAccepted', {
      messageId, session, listener: 'submission', peer, tls, login: 'ann@x.test', protocol: 'UTF8SMTPSA', sender: 'ann@x.test',
      recipients: [{ address: 'bob@y.test', notify: ['FAILURE', 'DELAY'], orcpt: 'rfc822;bob@y.test' }, { address: 'cid@x.test' }],
      body: '8BITMIME', smtputf8: true, requireTls: false, ret: 'HDRS', envid: 'QQ314159',
      sha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', size: 1134, at: 's/1/0',
      trace: 'Received: from mail.y.test by mx.x.test; Mon, 5 Jan 2026 09:00:00 +0900\r\n', headerMessageId: 'a1@y.test', hops: 1,
      reply: `250 2.0.0 OK queued as ${messageId}`,
    }),
  ],
  MessageRefused: [
    example('MessageRefused', {
      messageId, session, listener: 'mx', peer, sender: '', recipients: ['ann@x.test'], size: 0, phase: 'DATA', rule: 'message-too-big',
      reply: '552 5.3.4 Message too big', detail: '104857601 bytes',
    }),
  ],
  RecipientRefused: [
    example('RecipientRefused', { messageId, session, address: 'nobody@x.test', rule: 'unknown-recipient', reply: '550 5.1.1 User unknown', detail: 'alias nobody@x.test' }),
  ],
  SessionOpened: [example('SessionOpened', { protocol: 'smtp', listener: 'smtps', peer: { ip: '192.0.2.7', port: 40_000 }, local: '192.0.2.1:465', tls })],
  TlsStarted: [example('TlsStarted', tls)],
  LoginSucceeded: [
    example('LoginSucceeded', { protocol: 'smtp', peer, mechanism: 'PLAIN', login: 'ann@x.test', account: '019b8b3a-0c00-7000-8000-0000000000a1' }),
  ],
  LoginFailed: [example('LoginFailed', { protocol: 'pop3', peer, mechanism: 'USER', login: 'ann@x.test', rule: 'wrong-password' })],
  CommandRefused: [example('CommandRefused', { protocol: 'smtp', peer, verb: 'VRFY', rule: 'not-offered', reply: '502 5.5.1 Not offered' })],
  SessionClosed: [example('SessionClosed', { protocol: 'smtp', peer, reason: 'quit', seconds: 2, commands: 6, bytesIn: 1500, bytesOut: 400 })],
};
