import { randomBytes } from 'node:crypto';
import type { SaslExchange, SaslStep } from './authenticator.js';
import { isItself, malformed, type Outcome, type SaslContext, type Talk } from './sasl-talk.js';
import { scram } from './scram.js';

/** In the order in which to advertise them. */
export const MECHANISMS = ['SCRAM-SHA-256', 'CRAM-MD5', 'PLAIN', 'LOGIN'] as const;
export type Mechanism = (typeof MECHANISMS)[number];

/** Sends the password itself: offer it under TLS only, unless settings say otherwise. */
export const sendsPassword = (mechanism: Mechanism): boolean => mechanism === 'PLAIN' || mechanism === 'LOGIN';

/** Longer responses than this are malformed: two names, a password and a digest are far below. */
const LONGEST = 2048;

/** The mechanism's name as clients write it, in any case. */
export function mechanismOf(name: string): Mechanism | undefined {
  const upper = name.toUpperCase();
  return MECHANISMS.find((mechanism) => mechanism === upper);
}

/** A new exchange. What it throws is the authenticator's temporary trouble; bad input ends it with `malformed`. */
export function saslExchange(mechanism: Mechanism, context: SaslContext): SaslExchange {
  const nonce = context.nonce ?? (() => randomBytes(18).toString('base64url'));
  switch (mechanism) {
    case 'PLAIN':
      return new Dialogue(plain(context));
    case 'LOGIN':
      return new Dialogue(login(context));
    case 'CRAM-MD5':
      return new Dialogue(cramMd5(context, `<${nonce()}@${context.hostname}>`));
    case 'SCRAM-SHA-256':
      return new Dialogue(scram(context, nonce()));
  }
}

/** Decodes what comes in, so that mechanisms see text only. */
class Dialogue implements SaslExchange {
  constructor(private readonly talk: Talk) {}

  async start(initial: Buffer | undefined): Promise<SaslStep> {
    const first = await this.talk.next('');
    // A mechanism in which the client speaks first yields null; without initial response it is asked by an empty challenge.
    if (!first.done && first.value === null) return initial === undefined ? challenge('') : this.next(initial);
    // CRAM-MD5: the server speaks first, an initial response makes no sense. LOGIN: it is the user name.
    if (!first.done && initial !== undefined) return this.next(initial);
    return stepOf(first);
  }

  async next(response: Buffer): Promise<SaslStep> {
    const text = response.length <= LONGEST ? decode(response) : undefined;
    if (text === undefined) {
      await this.talk.return(malformed());
      return { kind: 'done', ...malformed() };
    }
    return stepOf(await this.talk.next(text));
  }
}

const challenge = (text: string): SaslStep => ({ kind: 'challenge', data: Buffer.from(text) });

function stepOf({ done, value }: IteratorResult<string | null, Outcome | undefined>): SaslStep {
  if (done) return { kind: 'done', ...(value ?? malformed()) };
  return challenge(value ?? '');
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
function decode(bytes: Buffer): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** RFC 4616: authzid NUL authcid NUL password. */
async function* plain({ authenticator, protocol, defaultDomain }: SaslContext): Talk {
  const [authzid, authcid, password, ...more] = (yield null).split('\0');
  if (!authcid || !password || more.length > 0) return malformed(authcid);
  if (!isItself(authzid ?? '', authcid, defaultDomain)) return malformed(authcid);
  return { result: await authenticator.password(protocol, authcid, password, defaultDomain), login: authcid.slice(0, 320) };
}

/** draft-murchison-sasl-login: what everyone does, with the prompts that old Outlooks insist on. */
async function* login({ authenticator, protocol, defaultDomain }: SaslContext): Talk {
  const name = yield 'Username:';
  const password = yield 'Password:';
  if (name === '' || password === '' || (name + password).includes('\0')) return malformed(name);
  return { result: await authenticator.password(protocol, name, password, defaultDomain), login: name.slice(0, 320) };
}

/** RFC 2195: name SP hex of HMAC-MD5(password, challenge). */
async function* cramMd5({ authenticator, protocol, defaultDomain }: SaslContext, text: string): Talk {
  const response = yield text;
  // The name may hold spaces, the digest may not.
  const space = response.lastIndexOf(' ');
  const [name, digest] = [response.slice(0, Math.max(space, 0)), response.slice(space + 1)];
  if (name === '' || !/^[0-9a-f]{32}$/i.test(digest)) return malformed(name);
  return { result: await authenticator.digest('cram-md5', protocol, name, text, digest, defaultDomain), login: name.slice(0, 320) };
}
