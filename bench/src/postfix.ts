import { havePostfix, startPostfixInstance } from '@kiroku/infra/rig/remote/postfix-instance.js';
import { startDovecot } from './dovecot.js';
import { DOMAIN, SIZE_LIMIT, stopAtEnd, USERS, type MailServer } from './sut.js';

export { havePostfix };

/**
 * A throw-away Postfix of its own on a port of 127.0.0.1. Its defaults stand, fsync above all; set are only paths, the
 * recipients it knows, a size limit above our largest mail, and no pause for fast senders (in_flow_delay), which flatters it.
 * It writes no log, which flatters it too.
 * @param deliverTo `discard` drops what was accepted; `dovecot` stores it in Maildirs by LMTP.
 */
export async function startPostfix(deliverTo: 'discard' | 'dovecot'): Promise<MailServer> {
  const dovecot = deliverTo === 'dovecot' ? await startDovecot() : undefined;
  const postfix = await startPostfixInstance({
    hostname: 'bench.test',
    services: ['discard', 'lmtp'],
    settings: {
      in_flow_delay: '0s',
      message_size_limit: `${SIZE_LIMIT}`,
      virtual_mailbox_limit: '0',
      mailbox_size_limit: '0',
      virtual_mailbox_domains: DOMAIN,
      virtual_mailbox_maps: 'texthash:$config_directory/mailboxes',
      virtual_transport: dovecot ? `lmtp:unix:${dovecot.lmtpSocket}` : 'discard:',
    },
    files: { mailboxes: USERS.map((user) => `${user}@${DOMAIN} ${user}/\n`).join('') },
  });
  return {
    name: dovecot ? 'Postfix → Dovecot' : 'Postfix',
    version: `${postfix.version}${dovecot ? `, Dovecot ${dovecot.version}` : ''}`,
    smtpPort: postfix.port,
    processes: () => [...postfix.processes(), ...(dovecot?.processes() ?? [])],
    mailIn: async (user) => dovecot?.mailIn(user) ?? 0,
    stop: stopAtEnd(async () => {
      await postfix.stop();
      await dovecot?.stop();
    }),
  };
}
