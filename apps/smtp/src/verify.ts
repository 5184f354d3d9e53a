import type { Resolved } from '@kiroku/domain/mail/directory-port.js';
import { parseAddress } from '@kiroku/domain/smtp/address.js';
import { multiline } from '@kiroku/domain/smtp/replies.js';
import type { Login, Of } from '@kiroku/domain/smtp/session.js';
import type { Dialogue } from './dialogue.js';

/**
 * VRFY and EXPN (RFC 5321 §3.5). Real answers only where the administrator switched them on, to clients that have logged in, about our
 * own addresses; 252 otherwise, as §7.3 advises against address harvesting.
 */
export async function verify(dialogue: Dialogue, { verb, who }: Of<'VRFY' | 'EXPN'>, login: Login | undefined): Promise<void> {
  const bare = who.startsWith('<') && who.endsWith('>') ? who.slice(1, -1) : who;
  const address = parseAddress(bare);
  if (!dialogue.settings.vrfy || !login || !address || address.domain === '' || address.utf8) {
    dialogue.say('cannot-verify');
    return;
  }
  let resolved: Resolved | undefined;
  try {
    [resolved] = await dialogue.on.directory.lookup([bare]);
  } catch (error) {
    dialogue.trouble(error);
    dialogue.noteRefused(verb, 'temporary-failure', dialogue.refuse('temporary-failure'));
    return;
  }
  if (resolved?.kind === 'account' && resolved.account.enabled) dialogue.say('verified', { address: resolved.account.address });
  else if (resolved?.kind === 'alias' && !resolved.reversed) {
    if (verb === 'VRFY') dialogue.say('verified', { address: resolved.alias });
    else dialogue.connection.write(`${multiline('250 2.1.5', resolved.targets.map((target) => `<${target.address}>`))}\r\n`);
  } else if (resolved === undefined || resolved.kind === 'remote') dialogue.say('cannot-verify');
  else dialogue.noteRefused(verb, 'unknown-recipient', dialogue.refuse('unknown-recipient'));
}
