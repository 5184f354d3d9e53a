import { createHmac } from 'node:crypto';
import type { Capabilities } from '@kiroku/domain/smtp-client/capabilities.js';
import { chooseMechanism, type Mechanism } from '@kiroku/domain/smtp-client/login-choice.js';
import { type Reply, replyText } from '@kiroku/domain/smtp-client/reply.js';
import { type ClientCredentials, ConnectFailed } from '@kiroku/domain/smtp-client/types.js';
import { words } from '@kiroku/domain/smtp-client/words.js';
import type { Broken, ClientSocket } from './client-socket.js';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/**
 * AUTH (RFC 4954). A refused login is `deferred`, whatever the code: wrong credentials are this administrator's to repair, and no
 * reason to bounce mail. No error shows a secret; servers that repeat what was sent are not quoted beyond their reply.
 * @param ms for each reply.
 * @throws ConnectFailed
 */
export async function login(socket: ClientSocket, offers: Capabilities, credentials: ClientCredentials, ms: number): Promise<void> {
  if (offers.auth.length === 0) throw failed(words('login-not-offered'));
  const mechanism = chooseMechanism(offers.auth, credentials.mechanism, socket.tls !== undefined);
  if (!mechanism) throw failed(words('login-mechanism', `host offers ${offers.auth.join(' ')}`));
  const say = async (line: string): Promise<Reply> => {
    socket.write(`${line}\r\n`);
    const heard = await socket.reply(ms);
    if ('kind' in heard) throw failed((heard satisfies Broken).reply);
    return heard;
  };
  let reply = await say(`AUTH ${mechanism}${initial(mechanism, credentials)}`);
  for (let step = 0; reply.code === 334 && step < 3; step++) reply = await say(answer(mechanism, step, reply, credentials));
  if (reply.code === 334) reply = await say('*'); // RFC 4954 §4: gives up an exchange that goes nowhere
  if (reply.code !== 235) throw failed(replyText(reply), reply.code >= 500 ? 'refused' : 'line');
}

function initial(mechanism: Mechanism, { user, secret }: ClientCredentials): string {
  if (mechanism === 'PLAIN') return ` ${base64(`\0${user}\0${secret}`)}`;
  return mechanism === 'XOAUTH2' ? ` ${base64(`user=${user}\x01auth=Bearer ${secret}\x01\x01`)}` : '';
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
    case 'PLAIN':
      return '*';
  }
}

const failed = (reply: string, because: ConnectFailed['because'] = 'line'): ConnectFailed => new ConnectFailed('AUTH', 'deferred', because, reply);
