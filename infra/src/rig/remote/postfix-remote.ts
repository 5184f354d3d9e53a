import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pair } from '../test-ca.js';
import { startPostfixInstance, type PostfixInstance } from './postfix-instance.js';

export interface RemotePostfixOptions {
  /** An address of 127.0.0.0/8; 127.0.0.1 when absent. */
  readonly host?: string;
  /** A free one when absent. */
  readonly port?: number;
  /** Its name, e.g. `mx.remote.test`. */
  readonly hostname: string;
  /** Domains whose mail it takes. */
  readonly domains: readonly string[];
  /** Users it knows, in every domain; everybody when absent. Others are refused with `550 5.1.1`. */
  readonly users?: readonly string[];
  /** `may` offers STARTTLS, `encrypt` takes no mail without it; none when absent. */
  readonly tls?: Pair & { readonly level: 'may' | 'encrypt' };
  /** More of main.cf, e.g. `message_size_limit` or `smtpd_discard_ehlo_keywords`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A real server somewhere else, that takes mail for its domains into Maildirs. */
export interface RemotePostfix extends PostfixInstance {
  /** What it took, of one recipient or of all, in no order, a character per octet, LF line ends: with Return-Path, Delivered-To and its own Received. */
  mails(recipient?: string): string[];
}

const MAIL_UID = 8; // `mail` on every Linux distribution that packages Postfix

/** Starts it and waits until it greets. Needs `havePostfix()`. */
export async function startRemotePostfix(options: RemotePostfixOptions): Promise<RemotePostfix> {
  const mail = mkdtempSync(join(tmpdir(), 'postfix-mail-'));
  const boxes = join(mail, 'boxes');
  mkdirSync(boxes);
  for (const path of [mail, boxes]) chownSync(path, MAIL_UID, MAIL_UID);
  const { hostname, domains, users, tls } = options;
  const remove = (): void => rmSync(mail, { recursive: true, force: true, maxRetries: 5 });
  const postfix = await startPostfixInstance({
    ...(options.host !== undefined && { host: options.host }),
    ...(options.port !== undefined && { port: options.port }),
    hostname,
    services: ['virtual', 'discard'],
    logs: true,
    settings: {
      virtual_mailbox_domains: domains.join(', '),
      virtual_mailbox_base: boxes,
      virtual_mailbox_maps: users ? 'texthash:$config_directory/mailboxes' : 'static:all/',
      virtual_uid_maps: `static:${MAIL_UID}`,
      virtual_gid_maps: `static:${MAIL_UID}`,
      virtual_minimum_uid: `${MAIL_UID}`,
      mynetworks: '', // it relays for nobody
      default_transport: 'discard', // what it has to say to senders must not leave this machine
      smtpd_tls_received_header: 'yes',
      ...(tls && {
        smtpd_tls_security_level: tls.level,
        smtpd_tls_chain_files: '$config_directory/chain.pem',
        smtpd_tls_session_cache_database: '',
      }),
      ...options.settings,
    },
    files: {
      mailboxes: domains.flatMap((domain) => (users ?? []).map((user) => `${user}@${domain} all/\n`)).join(''),
      'chain.pem': tls ? tls.key + tls.cert : '',
    },
  }).catch((error: unknown) => {
    remove();
    throw error;
  });
  return {
    ...postfix,
    mails: (recipient) => {
      const all = filesIn(join(boxes, 'all', 'new'));
      return recipient === undefined ? all : all.filter((mail) => mail.includes(`\nDelivered-To: ${recipient}\n`));
    },
    stop: async () => {
      await postfix.stop();
      remove();
    },
  };
}

const filesIn = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1')) : [];
