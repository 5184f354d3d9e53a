import { idLine } from '@kiroku/domain/imap/grammar/responses.js';
import type { Of } from '@kiroku/domain/imap/grammar/commands.js';
import { abilitiesOf, abilityName } from '@kiroku/domain/imap/session/capabilities.js';
import { capabilityList } from '../login.js';
import { DeflateConnection } from '../net/deflate-connection.js';
import { type Completion, No, ok } from '../refusal.js';
import type { Session } from '../session.js';
import { knowsCondstore } from './condstore.js';

export function capability(session: Session): Completion {
  session.output.untagged(`CAPABILITY ${capabilityList(session)}`);
  return ok('Listed');
}

/** What has happened meanwhile is told with the answer (promise 3 of the design). */
export async function noop(session: Session): Promise<Completion> {
  await session.selected?.live.refresh();
  return ok('Done nothing');
}

export function logout(session: Session): Completion {
  session.output.untagged('BYE Good bye');
  session.hangUp('logout');
  return ok('Logged out');
}

/** RFC 2971. What the client says of itself is not kept. */
export function id({ output, options, settings }: Session): Completion {
  const [name = '', version = null] = options.product.split(' ');
  output.untagged(idLine([['name', name], ...(settings.showVersion ? [['version', version] as const] : [])]));
  return ok('Pleased to meet you');
}

/** RFC 9051 §6.2.1: from here on nothing that came before counts. */
export function startTls(session: Session): Completion {
  if (session.connection.tls) throw new No('TLS is on already', undefined, 'BAD');
  if (session.options.startTls === false) throw new No('There is no TLS here', undefined, 'BAD');
  return ok('Begin TLS');
}

export async function tlsStarts(session: Session): Promise<void> {
  const tls = await session.connection.startTls();
  session.note({ type: 'TlsStarted', data: tls });
}

/** RFC 5161. What is not known is not named. */
export function enable(session: Session, { capabilities }: Of<'ENABLE'>): Completion {
  const abilities = abilitiesOf(capabilities);
  // RFC 5161 §3.1: the response names what this command has switched on.
  const fresh = abilities.filter((ability) => !session.enabled.has(ability));
  session.output.untagged(['ENABLED', ...fresh.map(abilityName)].join(' '));
  if (fresh.includes('CONDSTORE') || fresh.includes('QRESYNC')) knowsCondstore(session);
  for (const ability of fresh) session.enabled.add(ability);
  return ok('Enabled');
}

/** RFC 4978. */
export function compress(session: Session, { mechanism }: Of<'COMPRESS'>): Completion {
  if (mechanism !== 'DEFLATE') throw new No('Only DEFLATE', 'CANNOT');
  if (session.compressed) throw new No('The connection is compressed already', 'COMPRESSIONACTIVE');
  return ok('Begin compression');
}

export async function compressionStarts(session: Session): Promise<void> {
  await session.output.flush();
  session.compressed = true;
  session.connection = new DeflateConnection(session.connection);
  session.output.use(session.connection);
}

/** RFC 8437: as after the greeting, on the connection as it is. */
export function unauthenticate(session: Session): Completion {
  session.release();
  session.enabled.clear();
  session.account = undefined;
  session.phase = 'not-authenticated';
  session.connection.idleTimeout = session.strangersTime;
  return ok('Logged out of the account', `CAPABILITY ${capabilityList(session)}`);
}
