import { createHmac } from 'node:crypto';
import type { Capabilities } from '@kiroku/domain/smtp-client/capabilities.js';
import { chooseMechanism, type Mechanism } from '@kiroku/domain/smtp-client/login-choice.js';
import { type Reply, replyText } from '@kiroku/domain/smtp-client/reply.js';
import { type ClientCredentials, ConnectFailed, type Target } from '@kiroku/domain/smtp-client/types.js';
import { words } from '@kiroku/domain/smtp-client/words.js';
import type { Broken, ClientSocket } from './client-socket.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/**
 * AUTH (RFC 4954). A refused login is `deferred`, whatever the code: wrong credentials are this administrator's to repair, and no
 * reason to bounce mail. No error shows a secret, also where the server repeats what was sent.
 * @param ms for each reply.
 * @throws ConnectFailed; `because` is `refused` where the server does not take these credentials.
 */
export async function login(socket: ClientSocket, offers: Capabilities, credentials: ClientCredentials, peer: Pick<Target, 'name' | 'port'>, ms: number): Promise<void> {
  if (offers.auth.length === 0) throw failed(words('login-not-offered'));
  const mechanism = chooseMechanism(offers.auth, credentials, socket.tls !== undefined);
  if (!mechanism) throw failed(words('login-mechanism', `host offers ${offers.auth.join(' ')}`));
  const say = async (line: string): Promise<Reply> => {
    socket.write(`${line}\r\n`);
    const heard = await socket.reply(ms);
    if ('kind' in heard) throw failed((heard satisfies Broken).reply);
    return heard;
  };
  const first = initial(mechanism, credentials, peer);
  let reply = await say(`AUTH ${mechanism}${first}`);
  for (let step = 0; reply.code === 334 && step < 3; step++) reply = await say(answer(mechanism, step, reply, credentials));
  if (reply.code === 334) reply = await say('*'); // RFC 4954 §4: gives up an exchange that goes nowhere
  if (reply.code !== 235) throw failed(upTo([credentials.secret, base64(credentials.secret), first.trim()], replyText(reply)), reply.code >= 500 ? 'refused' : 'line');
}

function initial(mechanism: Mechanism, { user, secret }: ClientCredentials, { name, port }: Pick<Target, 'name' | 'port'>): string {
  switch (mechanism) {
    case 'PLAIN':
      return ` ${base64(`\0${user}\0${secret}`)}`;
    case 'XOAUTH2':
      return ` ${base64(`user=${user}\x01auth=Bearer ${secret}\x01\x01`)}`;
    case 'OAUTHBEARER': // RFC 7628 §3.1; the name as RFC 5801 §4 writes it
      return ` ${base64(`n,a=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},\x01host=${name}\x01port=${port}\x01auth=Bearer ${secret}\x01\x01`)}`;
    case 'LOGIN':
    case 'CRAM-MD5':
      return '';
  }
}

/** The answer to a challenge. */
function answer(mechanism: Mechanism, step: number, { lines }: Reply, { user, secret }: ClientCredentials): string {
  switch (mechanism) {
    case 'LOGIN':
      return step === 0 ? base64(user) : step === 1 ? base64(secret) : '*';
    case 'CRAM-MD5': {
      if (step > 0) return '*';
      const digest = createHmac('md5', secret).update(Buffer.from(lines[0] ?? '', 'base64')).digest('hex');
      return base64(`${user} ${digest}`);
    }
    case 'XOAUTH2':
      return ''; // the challenge tells why the token is no good; the code comes after an empty answer
    case 'OAUTHBEARER':
      return base64('\x01'); // likewise (RFC 7628 §3.2.3)
    case 'PLAIN':
      return '*';
  }
}

/** Characters by which a secret is known, though the server cut it off; shorter than the least, any word might be one. */
const RECOGNIZED = 16;
const LEAST = 4;

/** A reply's text before anything secret in it. */
function upTo(secrets: readonly string[], text: string): string {
  const places = secrets.filter((secret) => secret.length >= LEAST).map((secret) => text.indexOf(secret.slice(0, RECOGNIZED), 'XYZ '.length)).filter((place) => place >= 0);
  return places.length === 0 ? text : `${text.slice(0, Math.min(...places))}[...]`;
}

const failed = (reply: string, because: ConnectFailed['because'] = 'line'): ConnectFailed => new ConnectFailed('AUTH', 'deferred', because, reply);
